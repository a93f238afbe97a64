import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from profiler_agent.carriers.credentials import Credentials
from profiler_agent.carriers.listen import create_app
from profiler_agent.carriers.run_agent import run_agent, run_until_stopped, serve
from profiler_agent.only_when import OnlyWhen
from shared.protocol.device import RuntimeInfo
from shared.protocol.wire import to_json
from tests.profiler_agent.leases import PHONE, agent_core, odd_lease, tell_phone
from tests.profiler_agent.tiny_server import TOKEN as DEVICE_TOKEN
from tests.profiler_agent.tiny_server import TinyServer

TOKEN = "edg_agent_" + "x" * 40


async def wait_for_ever(started: asyncio.Event) -> None:
    started.set()
    await asyncio.Event().wait()


async def after(started: asyncio.Event, act: Callable[[], None]) -> None:
    await started.wait()
    act()


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_the_first_signal_drains() -> None:
    async def play() -> bool:
        drain, started = asyncio.Event(), asyncio.Event()

        async def carrier() -> None:
            started.set()
            await drain.wait()

        return await run_until_stopped([carrier(), after(started, terminate)], drain)

    assert asyncio.run(play())


def test_the_second_signal_abandons() -> None:
    async def play() -> bool:
        drain, started = asyncio.Event(), asyncio.Event()

        async def twice() -> None:
            await started.wait()
            terminate()
            await drain.wait()
            terminate()

        return await run_until_stopped([wait_for_ever(started), twice()], drain)

    assert not asyncio.run(play())


def test_a_drain_that_takes_too_long_abandons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profiler_agent.carriers.run_agent._DRAIN_S", 0.0)

    async def play() -> bool:
        started = asyncio.Event()
        return await run_until_stopped([wait_for_ever(started), after(started, terminate)], asyncio.Event())

    assert not asyncio.run(play())


def test_a_carrier_that_fails_takes_the_others_along() -> None:
    async def play() -> None:
        started = asyncio.Event()

        async def fail() -> None:
            await started.wait()
            raise ConnectionError("gone")

        await run_until_stopped([wait_for_ever(started), fail()], asyncio.Event())

    with pytest.raises(ConnectionError, match="gone"):
        asyncio.run(play())


def over_a_socket(
    folder: Path, talk: Callable[[httpx.AsyncClient, asyncio.Event], Awaitable[None]]
) -> None:
    """Serve on a real socket and let ``talk`` speak to it."""

    async def play() -> None:
        drain = asyncio.Event()
        listener = socket.create_server(("127.0.0.1", 0))
        app = create_app(agent_core(folder, is_odd=True), tell_phone, TOKEN)
        serving = asyncio.create_task(serve(app, listener, drain))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            await talk(client, drain)
        drain.set()
        await serving

    asyncio.run(play())


def test_serves_until_drained_and_finishes_what_it_began(tmp_path: Path) -> None:
    async def talk(client: httpx.AsyncClient, drain: asyncio.Event) -> None:
        async with client.stream("POST", "/v1/leases", content=to_json(odd_lease("fine"))) as response:
            drain.set()
            lines = [line async for line in response.aiter_lines()]
        assert len(lines) == 1
        assert '"status":"ok"' in lines[0]

    over_a_socket(tmp_path, talk)


def test_a_connection_that_breaks_ends_the_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setenv("ODD_PIPE", str(pipe))

    async def talk(client: httpx.AsyncClient, _: asyncio.Event) -> None:
        lease = odd_lease("hang", ttl_s=0.9)  # looked after every third of it
        async with client.stream("POST", "/v1/leases", content=to_json(lease)):
            alive = await asyncio.to_thread(pipe.open)
        assert await asyncio.to_thread(alive.read) == ""
        alive.close()

    over_a_socket(tmp_path, talk)


SLOW_NCNN = """
import os
open(os.environ["ASKED_PIPE"]).read()

def get_gpu_count():
    return 1
"""
NCNN = RuntimeInfo("ncnn", "1.0")


@pytest.fixture
def asked_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipe that a runtime reads to its end before it says what it offers."""
    pipe, site = tmp_path / "asked", tmp_path / "site"
    os.mkfifo(pipe)
    site.mkdir()
    (site / "ncnn.py").write_text(SLOW_NCNN)
    monkeypatch.setenv("ASKED_PIPE", str(pipe))
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=":")
    return pipe


def dialling(folder: Path, talk: Callable[[TinyServer], Awaitable[None]]) -> bool:
    """Let an agent with a slow runtime dial out while ``talk`` goes on; return whether it ended well."""

    async def play() -> bool:
        server, drain = TinyServer(), asyncio.Event()
        listener = socket.create_server(("127.0.0.1", 0))
        serving = asyncio.create_task(serve(server.app, listener, drain))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        device = replace(PHONE, runtimes=(NCNN,))
        known = Credentials(url, "phone", DEVICE_TOKEN)
        agent = asyncio.create_task(
            run_agent(agent_core(folder), device, folder, known, None, url, OnlyWhen())
        )
        await talk(server)
        terminate()
        is_complete = await agent
        drain.set()
        await serving
        return is_complete

    return asyncio.run(play())


def test_an_agent_is_heard_of_before_its_runtimes_have_answered(tmp_path: Path, asked_pipe: Path) -> None:
    async def talk(server: TinyServer) -> None:
        await server.until(lambda: len(server.requests) > 0)
        hello = server.requests[0]
        assert (hello.device, hello.waiting_for) == (None, "its runtimes to say what they offer")
        await asyncio.to_thread(lambda: asked_pipe.open("w").close())
        await server.until(lambda: len(server.requests) > 1)
        told = server.requests[1]
        assert told.device is not None
        assert told.device.runtimes == (replace(NCNN, accelerators=("cpu", "gpu")),)
        assert told.waiting_for == ""

    assert dialling(tmp_path, talk)


def test_an_agent_that_is_stopped_asks_its_runtimes_no_more(tmp_path: Path, asked_pipe: Path) -> None:
    writers = []

    async def talk(server: TinyServer) -> None:
        writers.append(await asyncio.to_thread(os.open, asked_pipe, os.O_WRONLY))
        await server.until(lambda: len(server.requests) > 0)

    assert dialling(tmp_path, talk)
    with pytest.raises(BrokenPipeError):
        os.write(writers[0], b"x")
    os.close(writers[0])
