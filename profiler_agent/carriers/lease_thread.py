"""Both carriers run in an event loop; this measures a lease in a thread beside it."""

import asyncio
from collections.abc import AsyncIterator

from profiler_agent.agent import AgentCore
from shared.protocol.measurement import Lease, Result


class LeaseThread:
    """Results of one lease as they come; whoever stops reading them stops the measurement."""

    def __init__(self, core: AgentCore, lease: Lease) -> None:
        """Take the lease and start; needs a running event loop.

        Raises:
            AgentBusyError: another lease is at work.
        """
        self._core = core
        self._lease = lease
        self._queue: asyncio.Queue[Result | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._results = core.run(lease)
        self._thread = self._loop.run_in_executor(None, self._pump)

    async def results(self) -> AsyncIterator[Result]:
        """Yield the results; leaving early kills the measurement."""
        try:
            while (result := await self._queue.get()) is not None:
                yield result
        finally:
            if not self._thread.done():
                self._core.cancel(self._lease.lease_id, "nobody waits for the results any more")
        await self._thread

    def _pump(self) -> None:
        try:
            for result in self._results:
                self._loop.call_soon_threadsafe(self._queue.put_nowait, result)
        finally:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, None)
