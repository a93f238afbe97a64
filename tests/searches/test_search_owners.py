"""A search has one process: it ends with its worker, and writes only while the search is its worker's."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import anyio
import pytest
import structlog
from sqlalchemy.orm import Session

from search_server.db.models import JobRow
from search_server.db.session import Database
from search_server.jobs.registry import cancel_job
from search_server.searches.own_transactions import OwnTransactions
from search_server.searches.queue import claim_search
from search_server.searches.recording import set_progress
from search_server.searches.search_job import StoppedError
from search_server.searches.worker import Worker
from tests.conftest import Clock
from tests.search_server.outages import away, locked, until_logged
from tests.searches.house import House, queue_search

pytestmark = pytest.mark.anyio

Outage = Callable[[Database], AbstractContextManager[None]]
any_outage = pytest.mark.parametrize(
    ("database_kind", "outage"), [("sqlite", away), ("sqlite", locked), ("postgresql", away)]
)

SEARCH = """
import os, sys, threading
from search_server.engines.processes import end_with_parent
end_with_parent(int(sys.argv[3]))
print(os.getpid(), flush=True)
threading.Event().wait()
"""
WORKER = f"""
import sys
from search_server.clock import utc_now
from search_server.db.session import Database
from search_server.logs import configure_logs
from search_server.searches.worker import Worker
configure_logs()
Worker(Database(sys.argv[1]), "w1", utc_now, {{}}, (sys.executable, "-c", {SEARCH!r})).work_once()
"""


@pytest.fixture
def job_id(database: Database, clock: Clock) -> str:
    """A search in the queue."""
    return queue_search(database, clock)


def claim(database: Database, worker_id: str, clock: Clock) -> str | None:
    with database.transaction() as session:
        return claim_search(session, worker_id, clock())


@pytest.mark.skipif(sys.platform != "linux", reason="Linux ends a process with its parent")
@pytest.mark.usefixtures("job_id")
def test_a_killed_worker_leaves_no_search_behind(database_url: str) -> None:
    command = (sys.executable, "-c", WORKER, database_url)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        try:
            assert int(worker.stdout.readline()) != worker.pid  # the search runs
        finally:
            worker.send_signal(signal.SIGKILL)
        # Ends only when no process holds the pipe any more: the search has ended too.
        assert worker.communicate(timeout=30)[0] == ""


async def test_only_the_worker_that_has_a_search_writes_to_it(
    database: Database, job_id: str, clock: Clock, tmp_path: Path
) -> None:
    first, second = (OwnTransactions(database, job_id, name, threading.Event()) for name in ("w1", "w2"))

    def write(session: Session, progress: float) -> None:
        set_progress(session, job_id, progress, "searching")

    assert claim(database, "w1", clock) == job_id
    with first() as session:
        write(session, 0.1)
    House(database, tmp_path, clock).keep_for(30)
    assert claim(database, "w2", clock) == job_id
    with pytest.raises(StoppedError), first() as session:
        write(session, 0.9)
    with second() as session:
        write(session, 0.2)
    with database.transaction() as session:
        cancel_job(session, job_id, clock())
    with pytest.raises(StoppedError), second() as session:
        write(session, 0.8)
    with database.reading() as session:
        job = session.get_one(JobRow, job_id)
        assert (job.status, job.progress) == ("cancelled", 0.2)


@any_outage
async def test_a_search_waits_for_its_database(
    database: Database, job_id: str, clock: Clock, outage: Outage
) -> None:
    claim(database, "w1", clock)
    own = OwnTransactions(database, job_id, "w1", threading.Event(), retry_s=0.01)

    def write() -> None:
        with own() as session:
            set_progress(session, job_id, 0.5, "searching")

    with structlog.testing.capture_logs() as logs:
        with outage(database):
            writing = asyncio.create_task(asyncio.to_thread(write))
            with anyio.fail_after(60):
                await until_logged(logs, "the database does not answer; the search waits", 1)
        await writing
    with database.reading() as session:
        assert session.get_one(JobRow, job_id).progress == 0.5


@any_outage
async def test_a_worker_survives_an_outage(
    database: Database, job_id: str, clock: Clock, outage: Outage
) -> None:
    command = (sys.executable, "-c", "import signal; signal.pause()")
    worker, waiting = (Worker(database, name, clock, {}, command, poll_s=0.01) for name in ("w1", "w2"))
    threads = [threading.Thread(target=each.run) for each in (worker, waiting)]
    with structlog.testing.capture_logs() as logs:
        try:
            threads[0].start()
            with anyio.fail_after(60):
                await until_logged(logs, "search started", 1)
                threads[1].start()
                with outage(database):
                    await until_logged(logs, "failed; trying again", 2)
                await until_logged(logs, "works again", 2)
            with database.transaction() as session:
                cancel_job(session, job_id, clock())
            with anyio.fail_after(60):
                await until_logged(logs, "search cancelled", 1)
        finally:
            for each in (worker, waiting):
                each.stop.set()
            for thread in threads:
                await asyncio.to_thread(thread.join)
