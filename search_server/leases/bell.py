"""The lease bell: wakes an agent's long poll when a lease for its device was committed.

Leases written by this process ring at once; those written by another one (the worker) are found by
:func:`watch_pending_leases`, one query for all who wait.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from anyio.to_thread import run_sync
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from search_server.db.models import LeaseRow
from search_server.db.outage import repeat_forever
from search_server.db.session import Database

_ANNOUNCED = "devices with a new lease"


class LeaseBell:
    """Thread-safe: rung from any thread, heard in any event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[str, set[Listener]] = defaultdict(set)

    def attach(self, database: Database) -> None:
        """Ring after each commit of this database that brought a lease."""
        event.listen(database.sessions, "after_commit", self._ring_announced)

    def ring(self, device_id: str) -> None:
        """Wake all who wait for a lease of this device."""
        with self._lock:
            for listener in self._listeners.get(device_id, ()):
                listener.wake()

    def ring_all(self) -> None:
        """Wake all who wait."""
        for device_id in self.waiting_devices():
            self.ring(device_id)

    @contextmanager
    def listen(self, device_id: str) -> Iterator["Listener"]:
        """Hear each ring from now on; ask for the lease after this began, so that none is missed."""
        listener = Listener(asyncio.get_running_loop())
        with self._lock:
            self._listeners[device_id].add(listener)
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners[device_id].discard(listener)
                if not self._listeners[device_id]:
                    del self._listeners[device_id]

    def num_listeners(self, device_id: str) -> int:
        """Return how many polls wait for leases of this device."""
        with self._lock:
            return len(self._listeners.get(device_id, ()))

    def waiting_devices(self) -> tuple[str, ...]:
        """Return the devices whose agents wait."""
        with self._lock:
            return tuple(self._listeners)

    def _ring_announced(self, session: Session) -> None:
        for device_id in session.info.pop(_ANNOUNCED, ()):
            self.ring(device_id)


class Listener:
    """One waiting poll."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._rung = asyncio.Event()

    def wake(self) -> None:
        """End the wait, from whatever thread."""
        self._loop.call_soon_threadsafe(self._rung.set)

    async def wait(self, timeout_s: float) -> bool:
        """Return True at the next ring, False when the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True


def announce_lease(session: Session, device_id: str) -> None:
    """Ring for this device once the session has committed: there is a lease, or something to ask."""
    session.info.setdefault(_ANNOUNCED, set()).add(device_id)


async def watch_pending_leases(database: Database, bell: LeaseBell, interval_s: float) -> None:
    """Ring for leases of other processes, for ever."""

    async def look() -> None:
        devices = bell.waiting_devices()
        if devices:
            for device_id in await run_sync(_devices_with_work, database, devices):
                bell.ring(device_id)

    await repeat_forever("looking for new leases", look, interval_s)


def _devices_with_work(database: Database, device_ids: tuple[str, ...]) -> list[str]:
    statement = select(LeaseRow.device_id).where(
        LeaseRow.status == "pending", LeaseRow.device_id.in_(device_ids)
    )
    with database.reading() as session:
        return list(session.scalars(statement.distinct()))
