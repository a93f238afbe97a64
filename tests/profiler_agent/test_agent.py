import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from profiler_agent.agent import AgentBusyError, AgentCore
from shared.protocol.device import Conditions
from shared.protocol.measurement import Lease, Result
from tests.profiler_agent.leases import (
    ARTIFACT,
    agent_core,
    measuring_pid,
    odd_lease,
    real_lease,
    store_model,
)


class Worker(threading.Thread):
    """Reads a lease to its end, as a carrier does."""

    def __init__(self, core: AgentCore, lease: Lease) -> None:
        super().__init__()
        self.results: list[Result] = []
        self._iterator = core.run(lease)
        self.start()

    def run(self) -> None:
        self.results.extend(self._iterator)


@pytest.fixture
def core(tmp_path: Path) -> AgentCore:
    return agent_core(tmp_path / "data", is_odd=True)


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A named pipe that a hanging measurement holds open as long as it lives."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    monkeypatch.setenv("ODD_PIPE", str(path))
    yield path
    path.unlink()


def test_measures_with_a_real_runtime(tmp_path: Path) -> None:
    core = agent_core(tmp_path)
    store_model(core)
    results = list(core.run(real_lease("a", "b")))
    assert [(result.item_id, result.status) for result in results] == [("a", "ok"), ("b", "ok")]
    for result in results:
        assert len(result.runs.wall_us) >= 2
        assert {node.segment for node in result.nodes} == {"layer01", "head"}
        assert result.agent_version
        assert result.environment_before.memory_available_bytes
    assert core.num_results == {"ok": 2}


def test_asks_for_a_model_it_lacks(tmp_path: Path) -> None:
    core = agent_core(tmp_path)
    lease = real_lease("a")
    (result,) = core.run(lease)
    assert result.status == "error"
    assert "lacks artifact" in (result.reason or "")
    assert core.missing_artifacts(lease) == (ARTIFACT,)


def test_runs_where_it_is_told(tmp_path: Path) -> None:
    core = agent_core(tmp_path)
    store_model(core)
    cores = sorted(os.sched_getaffinity(0))[-1:]
    lease = real_lease("a")
    (result,) = core.run(replace(lease, conditions=Conditions(cores=tuple(cores))))
    assert list(result.cores_seen) == cores


def test_refuses_another_version_of_the_runtime(core: AgentCore) -> None:
    conditions = Conditions("simulated", runtime_version="9.9")
    (result,) = core.run(replace(odd_lease("fine"), conditions=conditions))
    assert result.status == "unsupported"
    assert "has simulated odd, the lease asks for 9.9" in (result.reason or "")


def test_refuses_a_runtime_that_is_not_installed(tmp_path: Path) -> None:
    lease = replace(odd_lease("fine"), conditions=Conditions("other"))
    (result,) = agent_core(tmp_path).run(lease)
    assert result.status == "unsupported"
    assert "no runtime 'other'" in (result.reason or "")


def test_what_a_runtime_prints_harms_nothing(core: AgentCore) -> None:
    (result,) = core.run(odd_lease("chatty"))
    assert result.status == "ok"


def test_one_item_that_is_refused_leaves_the_others(core: AgentCore) -> None:
    results = {result.item_id: result.status for result in core.run(odd_lease("fine", "refused"))}
    assert results == {"fine": "ok", "refused": "unsupported"}


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("crash", "killed by SIGABRT"),
        ("broken", "RuntimeError: the kernel does not like this shape"),
        ("greedy", "MemoryError"),
    ],
)
def test_a_crash_is_a_result(core: AgentCore, item: str, words: str) -> None:
    results = list(core.run(odd_lease(item, "fine")))
    assert [result.status for result in results] == ["error", "error"]
    assert all(words in (result.reason or "") for result in results)
    assert [result.status for result in core.run(odd_lease("fine"))] == ["ok"]


def test_what_is_killed_from_outside_is_measured_up_to_twice_more(core: AgentCore, pipe: Path) -> None:
    worker = Worker(core, odd_lease("hang", "fine"))
    killed = []
    for _ in range(3):
        with pipe.open() as alive:
            killed.append(measuring_pid(core))
            os.kill(killed[-1], signal.SIGKILL)
            assert alive.read() == ""
    worker.join()
    assert len(set(killed)) == 3
    reasons = [(result.status, result.reason) for result in worker.results]
    assert reasons == [("error", "the measuring process was killed by SIGKILL")] * 2


def test_a_measurement_that_was_killed_ends_as_if_it_had_not_been(core: AgentCore, pipe: Path) -> None:
    worker = Worker(core, odd_lease("gated", "fine"))
    with pipe.open("w"):
        first = measuring_pid(core)
        os.kill(first, signal.SIGSTOP)
    os.kill(first, signal.SIGKILL)
    while measuring_pid(core) == first:
        time.sleep(0.01)
    pipe.write_bytes(b"")  # opens the gate for the second one
    worker.join()
    assert {result.item_id: result.status for result in worker.results} == {"gated": "ok", "fine": "ok"}


def test_a_program_that_does_not_start_is_a_result(tmp_path: Path) -> None:
    core = AgentCore(tmp_path, command=("/nowhere/python",))
    (result,) = core.run(odd_lease("fine"))
    assert "cannot be started" in (result.reason or "")


def test_a_program_that_babbles_is_a_result(tmp_path: Path) -> None:
    core = AgentCore(tmp_path, command=("/bin/echo",))
    (result,) = core.run(odd_lease("fine"))
    assert "wrote something else than reports" in (result.reason or "")


def test_cancel_kills_the_measurement(core: AgentCore, pipe: Path) -> None:
    worker = Worker(core, odd_lease("hang", "fine"))
    with pipe.open() as alive:
        assert core.lease_id == "odd"
        assert core.cancel("odd", "changed my mind")
        assert alive.read() == ""  # the other end is gone
    worker.join()
    assert [(r.status, r.reason) for r in worker.results] == [("error", "changed my mind")] * 2
    assert core.lease_id is None
    assert not core.cancel("odd")


def test_one_lease_at_a_time(core: AgentCore, pipe: Path) -> None:
    worker = Worker(core, odd_lease("hang"))
    with pipe.open():
        with pytest.raises(AgentBusyError, match="lease 'odd' is being measured"):
            core.run(odd_lease("fine", lease_id="second"))
        assert not core.cancel("second")
        core.cancel("odd")
    worker.join()
    assert [result.status for result in core.run(odd_lease("fine", lease_id="second"))] == ["ok"]


@pytest.mark.usefixtures("pipe")
def test_a_lease_that_runs_out_is_killed(core: AgentCore) -> None:
    (result,) = core.run(odd_lease("hang", ttl_s=0.1))
    assert result.status == "error"
    assert "nobody renewed the lease in time" in (result.reason or "")


def test_a_stop_signal_to_all_leaves_the_measurement_alone(core: AgentCore, pipe: Path) -> None:
    worker = Worker(core, odd_lease("gated"))
    with pipe.open("w"):
        child = measuring_pid(core)
        assert os.getsid(child) == child != os.getsid(0)
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(child, number)
    worker.join()
    assert [result.status for result in worker.results] == ["ok"]


def test_a_renewed_lease_lives_on(core: AgentCore, pipe: Path) -> None:
    worker = Worker(core, odd_lease("hang", ttl_s=30))
    with pipe.open() as alive:
        assert core.renew("odd", 60)
        assert not core.renew("other", 60)
        assert core.progress == 0.0
        core.cancel("odd")
        assert alive.read() == ""
    worker.join()
    assert core.progress is None


def test_a_reader_that_leaves_ends_the_measurement(core: AgentCore) -> None:
    results = core.run(odd_lease("refused", "fine"))
    assert next(results).status == "unsupported"
    results.close()  # type: ignore[attr-defined]  # it is a generator
    assert core.lease_id is None


def test_what_dies_with_its_agent_leaves_nothing_and_the_next_agent_measures(
    tmp_path: Path, pipe: Path
) -> None:
    program = (
        "from pathlib import Path; from tests.profiler_agent.leases import agent_core, odd_lease; "
        f"list(agent_core(Path({str(tmp_path)!r}), is_odd=True).run(odd_lease('hang')))"
    )
    agent = subprocess.Popen([sys.executable, "-c", program])
    with pipe.open() as alive:
        agent.send_signal(signal.SIGKILL)
        assert alive.read() == ""
    assert agent.wait() == -signal.SIGKILL
    (left,) = (tmp_path / "scratch").iterdir()
    core = agent_core(tmp_path, is_odd=True)
    assert not left.exists()
    other = tmp_path / "scratch" / f"lease-{os.getpid()}-other"
    other.mkdir()
    assert [result.status for result in core.run(odd_lease("fine"))] == ["ok"]
    assert other.exists()  # its lease might still be at work
    os.utime(other, (0, 0))
    assert [result.status for result in core.run(odd_lease("fine"))] == ["ok"]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_the_load_of_a_lease_is_its_own_until_the_average_forgets_it(
    core: AgentCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert core.own_load == 0
    lease = odd_lease("fine")
    list(core.run(replace(lease, conditions=replace(lease.conditions, threads=2))))
    assert core.own_load == 2
    monkeypatch.setattr("profiler_agent.agent._OWN_LOAD_LASTS_S", 0.0)
    assert core.own_load == 0
