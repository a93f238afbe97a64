"""Runs the carriers until a signal: the first lets the lease at work end, a second one gives it back."""

import asyncio
import logging
import random
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from profiler_agent.agent import AgentCore
from profiler_agent.apply_settings import with_offers
from profiler_agent.carriers.backoff import Backoff
from profiler_agent.carriers.bounded_http import MAX_HEAD_BYTES, BoundedProtocol
from profiler_agent.carriers.credentials import Credentials, credentials_path, ensure_serve_token
from profiler_agent.carriers.dial_out import DialOut
from profiler_agent.carriers.errands import Errands
from profiler_agent.carriers.listen import create_app
from profiler_agent.carriers.spool import Spool
from profiler_agent.only_when import OnlyWhen
from profiler_agent.settings import parse_address
from shared.protocol.call_server import NoAnswerError, RequestRefusedError, ServerClient
from shared.protocol.device import Device, Environment
from shared.protocol.measurement import LeaseRequest

_log = logging.getLogger(__name__)

_ASKING = "its runtimes to say what they offer"
"""They are asked at each start, for seconds in which nothing should be timed."""

_DRAIN_S = 60.0
"""Less than the TimeoutStopSec of ``deploy/edgenas-agent.service``, which kills without asking."""


async def run_agent(
    core: AgentCore,
    device: Device,
    data_dir: Path,
    credentials: Credentials,
    listen: str | None,
    server: str | None,
    only_when: OnlyWhen,
) -> bool:
    """Serve, dial out, or both, until stopped by a signal.

    Args:
        core: runs the leases of both carriers.
        device: what this device is; what its runtimes offer is asked of them meanwhile.
        data_dir: where secrets and waiting results lie.
        credentials: with the token for ``server``.
        listen: ``HOST:PORT`` to serve on; None does not serve.
        server: URL to dial; None does not dial.
        only_when: under which conditions of the owner leases are asked for.

    Returns:
        Whether no lease had to be abandoned.

    Raises:
        DialOutError: the server refuses this agent for good.
        UpgradedError: the agent was upgraded and must be started again.
        OSError: the address cannot be listened on.
    """
    drain = asyncio.Event()
    facts = asyncio.create_task(with_offers(device))

    async def tell_device() -> Device:
        return await asyncio.shield(facts)

    def waits_for(environment: Environment) -> str:
        now = datetime.now().time()  # the owner's hours go by the device's own clock
        return only_when.waits_for(environment, now, len(device.usable_cores), core.own_load)

    carriers: list[Coroutine[Any, Any, None]] = []
    if listen is not None:
        listener = _listener(*parse_address(listen))
        app = create_app(core, tell_device, ensure_serve_token(data_dir), waits_for)
        carriers.append(serve(app, listener, drain))
        where = credentials_path(data_dir)
        _log.info("serving on %s; callers need the serve_token of %s", _address(listener), where)
    if server is not None:
        client = ServerClient(server, credentials.token)
        carriers.append(_dial_out(core, client, data_dir, drain, facts, waits_for))
        _log.info("dialling %s as device %s", server, credentials.device_id)
    try:
        return await run_until_stopped(carriers, drain)
    finally:
        facts.cancel()


async def _dial_out(
    core: AgentCore,
    client: ServerClient,
    data_dir: Path,
    drain: asyncio.Event,
    facts: asyncio.Task[Device],
    waits_for: Callable[[Environment], str],
) -> None:
    """Say at once that the agent is there, and work once the runtimes have said what they offer."""

    async def say_hello() -> Device:
        with suppress(NoAnswerError, RequestRefusedError):  # what speaks against it is told again
            lease = await client.lease(LeaseRequest(waiting_for=_ASKING), 0.0)
            if lease is not None:
                await client.give_back(lease)
        return await asyncio.shield(facts)

    async with client:
        hello, drained = asyncio.create_task(say_hello()), asyncio.create_task(drain.wait())
        try:
            await asyncio.wait((hello, drained), return_when=asyncio.FIRST_COMPLETED)
            if drain.is_set():
                return
            device, spool, backoff = hello.result(), Spool(data_dir / "spool"), Backoff(random.Random())
        finally:
            hello.cancel()
            drained.cancel()
        errands = Errands(client, data_dir, device)
        dialling = DialOut(
            core, client, spool, drain, backoff, device=device, errands=errands, waits_for=waits_for
        )
        await dialling.run()


def _listener(host: str, port: int) -> socket.socket:
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def _address(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the signals to us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: ASGIApp, listener: socket.socket, drain: asyncio.Event) -> None:
    """Answer on a listening socket until drained; requests under way are finished first."""
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        lifespan="off",
        http=BoundedProtocol,
        ws="none",
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        drained = asyncio.create_task(drain.wait())
        await asyncio.wait((serving, drained), return_when=asyncio.FIRST_COMPLETED)
        drained.cancel()
        server.should_exit = True
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = server.force_exit = True
        await serving
        raise


async def run_until_stopped(carriers: Sequence[Coroutine[Any, Any, None]], drain: asyncio.Event) -> bool:
    """Run carriers until all have ended.

    SIGTERM or SIGINT sets ``drain``; a second one, or ``_DRAIN_S`` seconds, cancels what is still running.
    A carrier that fails takes the others with it.

    Returns:
        Whether all came to their own end, nothing abandoned.

    Raises:
        Exception: whatever a carrier raised.
    """
    tasks = [asyncio.create_task(carrier) for carrier in carriers]

    def stop() -> None:
        if drain.is_set():
            _log.warning("giving back the lease at work")
            for task in tasks:
                task.cancel()
        else:
            _log.info(
                "draining: the lease at work is finished first, if that takes at most %.0f s; "
                "a second signal gives it back now",
                _DRAIN_S,
            )
            drain.set()
            loop.call_later(_DRAIN_S, stop)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    with suppress(asyncio.CancelledError):
        for task in done:
            task.result()
        return True
    return False
