import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from profiler_agent.carriers.listen import create_app
from profiler_agent.carriers.run_agent import run_until_stopped, serve
from profiler_agent.facts.device import read_device
from shared.protocol.wire import to_json
from tests.profiler_agent.leases import agent_core, odd_lease

TOKEN = "edg_agent_" + "x" * 40
DEVICE = read_device("phone", ())


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
        app = create_app(agent_core(folder, is_odd=True), DEVICE, TOKEN)
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
