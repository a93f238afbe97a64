"""An agent that listens on a real socket, in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from profiler_agent.agent import AgentCore
from profiler_agent.carriers.listen import create_app
from profiler_agent.carriers.run_agent import serve
from tests.profiler_agent.leases import agent_core, tell_phone

TOKEN = "edg_agent_" + "x" * 40


@dataclass(frozen=True, slots=True)
class Served:
    """Where the agent listens."""

    address: tuple[str, int]


@contextmanager
def served(folder: Path, *, is_odd: bool = True) -> Iterator[Served]:
    """Let an agent listen until the block is left: an odd one, or one enrolled nowhere."""
    listener = socket.create_server(("127.0.0.1", 0))
    core = agent_core(folder, is_odd=True) if is_odd else AgentCore(folder)
    app = create_app(core, tell_phone, TOKEN)
    loop = asyncio.new_event_loop()
    drain = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve(app, listener, drain)))
    thread.start()
    try:
        yield Served(listener.getsockname())
    finally:
        loop.call_soon_threadsafe(drain.set)
        thread.join()
        loop.close()
