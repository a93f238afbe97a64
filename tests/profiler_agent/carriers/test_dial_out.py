import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from profiler_agent.agent import AgentCore
from profiler_agent.carriers.backoff import Backoff
from profiler_agent.carriers.credentials import load_credentials
from profiler_agent.carriers.dial_out import DialOut, DialOutError
from profiler_agent.carriers.errands import Errands
from profiler_agent.carriers.spool import Spool
from profiler_agent.facts.device import read_device
from shared.protocol.call_server import ServerClient
from shared.protocol.device import Device, RuntimeInfo
from shared.protocol.measurement import PROTOCOL_MAX, Result
from tests.profiler_agent.leases import ARTIFACT, MODEL, agent_core, measuring_pid, odd_lease, real_lease
from tests.profiler_agent.tiny_server import TOKEN, URL, Line, TinyServer

DEVICE = read_device("pixel", ())


class Scene:
    """An agent that dials a tiny server over a line that can be down."""

    def __init__(
        self,
        core: AgentCore,
        folder: Path,
        token: str = TOKEN,
        device: Device | None = None,
        lacking: Callable[[], str] = str,
        does_errands: bool = False,
    ) -> None:
        self.server = TinyServer()
        self.line = Line(self.server.app)
        self.core = core
        self.spool = Spool(folder / "spool")
        self.drain = asyncio.Event()
        self._token = token
        self._device = device
        self._lacking = lacking
        self._does_errands = does_errands
        self._folder = folder

    async def play(self, script: Callable[["Scene"], Awaitable[None]] | None = None) -> None:
        """Dial out while the script runs; then drain and wait for the end."""
        async with httpx.AsyncClient(transport=self.line) as http:
            client = ServerClient(URL, self._token, http)
            backoff = Backoff(random.Random(0), first_s=0.001, longest_s=0.002)
            agent = asyncio.create_task(
                DialOut(
                    self.core,
                    client,
                    self.spool,
                    self.drain,
                    backoff,
                    wait_s=0,
                    device=self._device,
                    errands=Errands(client, self._folder, DEVICE) if self._does_errands else None,
                    waits_for=lambda _: self._lacking(),
                    check_s=0.001,
                ).run()
            )
            if script is not None:
                await script(self)
                self.drain.set()
            await agent


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    monkeypatch.setenv("ODD_PIPE", str(path))
    return path


def test_the_first_request_says_what_the_device_is(tmp_path: Path) -> None:
    device = read_device("pixel", (RuntimeInfo("ncnn", "1.0.20260114"),))

    async def play() -> None:
        scene = Scene(agent_core(tmp_path), tmp_path, device=device)
        await scene.play(lambda scene: scene.server.until(lambda: len(scene.server.requests) >= 3))
        assert [request.device for request in scene.server.requests[:3]] == [device, None, None]

    asyncio.run(play())


def test_fetches_measures_and_hands_in(tmp_path: Path) -> None:
    async def play() -> None:
        scene = Scene(agent_core(tmp_path), tmp_path)
        scene.server.leases.append(real_lease("a", "b"))
        scene.server.artifacts[ARTIFACT.sha256] = MODEL
        await scene.play(lambda scene: scene.server.until(lambda: len(scene.server.results) == 2))
        assert {result.status for result in scene.server.results.values()} == {"ok"}
        assert scene.server.requests[0].protocol_max == PROTOCOL_MAX
        assert scene.server.requests[0].environment.memory_available_bytes
        beat = scene.server.heartbeats[0]
        assert (beat.lease_id, beat.fence) == ("real", 1)
        assert scene.server.num_posts == 1
        assert len(scene.spool) == 0

    asyncio.run(play())


@pytest.mark.parametrize(("content", "words"), [(None, "does not have"), (MODEL[:-1] + b"x", "hash to")])
def test_a_model_that_cannot_be_had_is_a_result(tmp_path: Path, content: bytes | None, words: str) -> None:
    async def play() -> None:
        scene = Scene(agent_core(tmp_path), tmp_path)
        scene.server.leases.append(real_lease("a"))
        if content is not None:
            scene.server.artifacts[ARTIFACT.sha256] = content
        await scene.play(lambda scene: scene.server.until(lambda: bool(scene.server.results)))
        result = scene.server.results["real", "a"]
        assert result.status == "error"
        assert words in (result.reason or "")

    asyncio.run(play())


def test_results_outlive_an_outage(tmp_path: Path) -> None:
    async def outage(scene: Scene) -> None:
        scene.line.is_down = True
        await scene.line.failed.wait()
        scene.line.is_down = False
        await scene.server.until(lambda: len(scene.server.results) == 2)

    async def play() -> None:
        scene = Scene(agent_core(tmp_path), tmp_path)
        for item_id in ("a", "b"):
            scene.spool.add(Result("earlier", 1, item_id, "ok"))
        await scene.play(outage)
        assert list(scene.server.results) == [("earlier", "a"), ("earlier", "b")]
        assert len(scene.spool) == 0

    asyncio.run(play())


def test_results_of_an_earlier_life_are_sent_once_more(tmp_path: Path) -> None:
    async def play() -> None:
        result = Result("earlier", 1, "a", "ok")
        scene = Scene(agent_core(tmp_path), tmp_path)
        scene.server.results["earlier", "a"] = result  # it had arrived; the receipt was lost
        scene.spool.add(result)
        await scene.play(lambda scene: scene.server.until(lambda: bool(scene.server.requests)))
        assert scene.server.num_posts == 1
        assert len(scene.spool) == 0

    asyncio.run(play())


@pytest.mark.parametrize(
    ("takes_batches", "unwanted", "num_posts", "num_refused"),
    [(True, set(), 1, 0), (False, set(), 3, 0), (True, {"b"}, 5, 1)],
    ids=["together", "to an old server", "with one that is refused"],
)
def test_results_of_a_lease_go_together_where_they_can(
    tmp_path: Path, takes_batches: bool, unwanted: set[str], num_posts: int, num_refused: int
) -> None:
    async def play() -> None:
        scene = Scene(agent_core(tmp_path), tmp_path)
        scene.server.takes_batches, scene.server.unwanted = takes_batches, unwanted
        for item_id in ("a", "b", "c"):
            scene.spool.add(Result("earlier", 1, item_id, "ok"))
        await scene.play(lambda scene: scene.server.until(lambda: bool(scene.server.requests)))
        statuses = {item_id: result.status for (_, item_id), result in scene.server.results.items()}
        assert statuses == {
            item_id: "error" if item_id in unwanted else "ok" for item_id in ("a", "b", "c")
        }
        assert scene.server.num_posts == num_posts
        assert len(scene.spool) == 0
        assert len(list((tmp_path / "spool" / "refused").iterdir())) == num_refused

    asyncio.run(play())


@pytest.mark.parametrize("status", [404, 409, 410])
def test_a_result_with_a_stale_fence_is_dropped(tmp_path: Path, status: int) -> None:
    async def play() -> None:
        scene = Scene(agent_core(tmp_path), tmp_path)
        scene.server.result_refusal = status
        scene.spool.add(Result("earlier", 1, "a", "ok"))
        await scene.play(lambda scene: scene.server.until(lambda: bool(scene.server.requests)))
        assert scene.server.num_posts == 1
        assert len(scene.spool) == 0

    asyncio.run(play())


def test_a_result_that_is_never_accepted_does_not_stop_the_others(tmp_path: Path) -> None:
    async def play() -> None:
        scene = Scene(agent_core(tmp_path), tmp_path)
        scene.server.result_refusal = 422
        scene.spool.add(Result("earlier", 1, "a", "ok"))
        await scene.play(lambda scene: scene.server.until(lambda: bool(scene.server.requests)))
        assert len(scene.spool) == 0
        # The result, and the words in its place, which are not replaced once more.
        assert len(list((tmp_path / "spool" / "refused").iterdir())) == 2

    asyncio.run(play())


def test_the_server_cancels_through_a_heartbeat(tmp_path: Path, pipe: Path) -> None:
    async def cancel(scene: Scene) -> None:
        with await asyncio.to_thread(pipe.open) as alive:
            scene.server.is_cancelling = True
            assert await asyncio.to_thread(alive.read) == ""
        num_requests = len(scene.server.requests)
        await scene.server.until(lambda: len(scene.server.requests) > num_requests)

    async def play() -> None:
        scene = Scene(agent_core(tmp_path, is_odd=True), tmp_path)
        scene.server.leases.append(odd_lease("hang", "fine"))
        await scene.play(cancel)
        assert scene.server.results == {}
        assert len(scene.spool) == 0

    asyncio.run(play())


def test_heartbeats_renew_the_lease(tmp_path: Path, pipe: Path) -> None:
    async def outlive(scene: Scene) -> None:
        with await asyncio.to_thread(pipe.open):
            running = scene.core._running
            assert running is not None
            first_deadline_s = running.deadline[0]
            num_beats = len(scene.server.heartbeats)
            await scene.server.until(lambda: len(scene.server.heartbeats) > num_beats + 1)
            assert running.deadline[0] > first_deadline_s
            scene.server.is_cancelling = True

    async def play() -> None:
        scene = Scene(agent_core(tmp_path, is_odd=True), tmp_path)
        scene.server.leases.append(odd_lease("hang"))
        await scene.play(outlive)

    asyncio.run(play())


def test_draining_finishes_the_lease_at_work(tmp_path: Path) -> None:
    async def drain(scene: Scene) -> None:
        await scene.server.until(lambda: bool(scene.server.heartbeats))

    async def play() -> None:
        scene = Scene(agent_core(tmp_path, is_odd=True), tmp_path)
        scene.server.leases.extend([odd_lease("fine"), odd_lease("fine", lease_id="second")])
        await scene.play(drain)
        assert scene.server.results.keys() == {("odd", "fine")}
        assert [lease.lease_id for lease in scene.server.leases] == ["second"]

    asyncio.run(play())


def test_abandoning_kills_the_lease_at_work(tmp_path: Path, pipe: Path) -> None:
    async def play() -> None:
        scene = Scene(agent_core(tmp_path, is_odd=True), tmp_path)
        scene.server.leases.append(odd_lease("hang"))
        agent = asyncio.create_task(scene.play())
        with await asyncio.to_thread(pipe.open) as alive:
            agent.cancel()
            assert await asyncio.to_thread(alive.read) == ""
        await asyncio.gather(agent, return_exceptions=True)
        assert scene.server.results == {}
        assert len(scene.spool) == 0
        assert scene.server.given_back == [("odd", "1")]

    asyncio.run(play())


def test_what_dies_while_draining_is_given_back(tmp_path: Path, pipe: Path) -> None:
    async def kill_the_measurement(scene: Scene) -> None:
        with await asyncio.to_thread(pipe.open) as alive:
            scene.drain.set()
            os.kill(measuring_pid(scene.core), signal.SIGKILL)
            assert await asyncio.to_thread(alive.read) == ""

    async def play() -> None:
        scene = Scene(agent_core(tmp_path, is_odd=True), tmp_path)
        scene.server.leases.append(odd_lease("hang", "fine"))
        await scene.play(kill_the_measurement)
        assert scene.server.results == {}
        assert len(scene.spool) == 0
        assert scene.server.given_back == [("odd", "1")]

    asyncio.run(play())


def test_a_measurement_outlives_a_cut_that_is_longer_than_its_lease(tmp_path: Path, pipe: Path) -> None:
    async def cut(scene: Scene) -> None:
        await scene.server.until(lambda: bool(scene.server.heartbeats))
        while (running := scene.core._running) is None:
            await asyncio.sleep(0)
        end_s = running.deadline[0]
        scene.line.is_down = True
        while time.monotonic() <= end_s:
            await scene.line.next_failure()
        await asyncio.to_thread(pipe.write_bytes, b"")
        while len(scene.spool) == 0:
            await scene.line.next_failure()
        assert scene.server.results == {}
        scene.line.is_down = False
        await scene.server.until(lambda: bool(scene.server.results))

    async def play() -> None:
        scene = Scene(agent_core(tmp_path, is_odd=True), tmp_path)
        scene.server.leases.append(odd_lease("gated", ttl_s=0.6))
        await scene.play(cut)
        assert {key: result.status for key, result in scene.server.results.items()} == {
            ("odd", "gated"): "ok"
        }

    asyncio.run(play())


def test_an_agent_busy_elsewhere_puts_the_lease_off(tmp_path: Path, pipe: Path) -> None:
    async def play() -> None:
        scene = Scene(agent_core(tmp_path, is_odd=True), tmp_path)
        elsewhere = asyncio.create_task(
            asyncio.to_thread(list, scene.core.run(odd_lease("hang", lease_id="elsewhere")))
        )
        with await asyncio.to_thread(pipe.open):
            scene.server.leases.append(odd_lease("fine"))
            await scene.play(lambda scene: scene.server.until(lambda: bool(scene.server.results)))
            scene.core.cancel("elsewhere")
        await elsewhere
        assert scene.server.results["odd", "fine"].status == "deferred"

    asyncio.run(play())


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "enrol http://server --replace"),
        (401, "type the line that installed it, with --uninstall"),
        (403, "enrol http://server"),
        (426, "curl -fsS http://server/install/agent.sh"),
    ],
)
def test_gives_up_when_trying_again_cannot_help(tmp_path: Path, status: int, words: str) -> None:
    async def play() -> None:
        scene = Scene(agent_core(tmp_path), tmp_path)
        scene.server.refusal = status
        with pytest.raises(DialOutError, match=words):
            await scene.play()

    asyncio.run(play())


def test_a_wrong_token_does_not_loop(tmp_path: Path) -> None:
    async def play() -> None:
        with pytest.raises(DialOutError, match="refuses this device's token"):
            await Scene(agent_core(tmp_path), tmp_path, token="edg_device_2_wrong").play()

    asyncio.run(play())


def test_an_overloaded_server_is_asked_again(tmp_path: Path) -> None:
    async def recover(scene: Scene) -> None:
        scene.server.refusal = 503
        await scene.server.changed.wait()
        scene.server.refusal = None
        await scene.server.until(lambda: bool(scene.server.requests))

    asyncio.run(Scene(agent_core(tmp_path), tmp_path).play(recover))


def test_a_lease_for_another_device_is_refused(tmp_path: Path) -> None:
    async def play() -> None:
        scene = Scene(agent_core(tmp_path, is_odd=True), tmp_path)
        scene.server.leases.append(replace(odd_lease("fine"), device_id="tablet"))
        await scene.play(lambda scene: scene.server.until(lambda: bool(scene.server.results)))
        assert scene.server.results["odd", "fine"].status == "unsupported"

    asyncio.run(play())


def test_pauses_grow_up_to_a_limit() -> None:
    backoff = Backoff(random.Random(0), first_s=1, longest_s=10)
    pauses = [backoff.next_s() for _ in range(50)]
    assert 0.5 <= pauses[0] <= 1
    assert 1 <= pauses[1] <= 2
    assert all(5 <= pause <= 10 for pause in pauses[4:])
    backoff.reset()
    assert backoff.next_s() <= 1


def test_a_server_that_asks_for_a_pause_gets_that_one_with_jitter() -> None:
    backoff = Backoff(random.Random(0), first_s=1, longest_s=10)
    pauses = [backoff.next_s(asked_s=30) for _ in range(50)]
    assert all(30 <= pause <= 45 for pause in pauses)
    assert len({round(pause) for pause in pauses}) > 10  # not all at the same moment


def test_no_lease_is_worked_on_while_an_owners_condition_lacks(tmp_path: Path) -> None:
    lacking = ["charging", "charging"]

    async def play() -> None:
        scene = Scene(agent_core(tmp_path), tmp_path, lacking=lambda: lacking.pop() if lacking else "")
        scene.server.artifacts[ARTIFACT.sha256] = MODEL
        scene.server.leases += [real_lease("a"), real_lease("b"), real_lease("c")]
        await scene.play(lambda scene: scene.server.until(lambda: len(scene.server.results) == 1))
        assert [request.waiting_for for request in scene.server.requests[:3]] == [
            "charging",
            "charging",
            "",
        ]
        assert len(scene.server.given_back) == 2  # this server hands out leases all the same
        assert [item for _, item in scene.server.results] == ["c"]

    asyncio.run(play())


def test_an_agent_renews_its_credential_when_asked_and_goes_on_with_the_new_one(tmp_path: Path) -> None:
    async def play() -> None:
        scene = Scene(agent_core(tmp_path), tmp_path, does_errands=True)
        scene.server.is_rotating = True

        async def script(scene: Scene) -> None:
            await scene.server.until(lambda: len(scene.server.enrolled) == 1)
            scene.server.accepted = {scene.server.renewed_token}
            num_requests = len(scene.server.requests)
            await scene.server.until(lambda: len(scene.server.requests) > num_requests)

        await scene.play(script)
        assert load_credentials(tmp_path).token == scene.server.renewed_token
        assert all(request.does_errands for request in scene.server.requests)

    asyncio.run(play())
