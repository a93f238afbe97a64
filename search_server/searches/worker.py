"""The worker: takes searches from the queue, one at a time, each in a process of its own.

Cancelling a search ends its process. When the worker itself is stopped, the search writes a checkpoint
and goes back to the queue; when its process dies, it is queued again a bounded number of times.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from search_server.clock import Clock
from search_server.db.outage import Outage
from search_server.db.session import Database
from search_server.engines.processes import end_process
from search_server.searches.queue import (
    claim_search,
    release_search,
    renew_search,
    retry_if_running,
    search_status,
)
from search_server.searches.worker_book import note_worker

SEARCH_COMMAND = (sys.executable, "-m", "search_server.searches.run_search")
GRACE_S = 8.0
"""A search that is told to stop has so long to reach its next step before it is killed.

Shorter than what container engines and service managers grant the worker itself."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process."""

    database: Database
    worker_id: str
    now: Clock
    environment: Mapping[str, str]
    """What the searching process needs beyond this one's environment: where database and data are.

    Unless told by ``OMP_NUM_THREADS`` it leaves a core to others: threads that wait for one that was pushed
    aside made a search on two cores, beside its server, five times slower than with one thread.
    """
    command: Sequence[str] = SEARCH_COMMAND
    """Program that runs a search; the ids of the job, the worker and the worker's process follow."""
    poll_s: float = 1.0
    stop: threading.Event = field(default_factory=threading.Event)
    """Set it to end :meth:`run`."""

    def run(self) -> None:
        """Work until stopped."""
        outage = Outage("worker")
        while not self.stop.is_set():
            has_worked = False
            with outage.passed_over():
                has_worked = self.work_once()
            if not has_worked:
                self.stop.wait(self.poll_s)

    def work_once(self) -> bool:
        """Run the next search of the queue to its end; False if there is none."""
        with self.database.transaction() as session:
            note_worker(session, self.worker_id, self.now())
            job_id = claim_search(session, self.worker_id, self.now())
        if job_id is None:
            return False
        with structlog.contextvars.bound_contextvars(job=job_id):
            self._run_process(job_id)
        return True

    def _run_process(self, job_id: str) -> None:
        _log.info("search started")
        threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) - 1))}
        environment = {**threads, **os.environ, **self.environment}
        arguments = [job_id, self.worker_id, str(os.getpid())]
        process = subprocess.Popen([*self.command, *arguments], env=environment)
        try:
            self._watch(process, job_id)
        finally:
            end_process(process, GRACE_S)

    def _watch(self, process: "subprocess.Popen[bytes]", job_id: str) -> None:
        """Stay with a process as long as its search is this worker's, database or not."""
        outage, is_mine = Outage(f"watching search {job_id}"), True
        while is_mine:
            try:
                code = process.wait(self.poll_s)
            except subprocess.TimeoutExpired:
                code = None
            with outage.passed_over():
                is_mine = self._keep(process, job_id, code)
            if outage.is_on and self.stop.is_set():
                return  # once the database is back, the search is queued again: its worker is silent
            if is_mine and code is not None:
                self.stop.wait(self.poll_s)

    def _keep(self, process: "subprocess.Popen[bytes]", job_id: str, code: int | None) -> bool:
        """Note in the database how a process is, whose exit code may be known; False: it needs no more."""
        with self.database.transaction() as session:
            if code is not None:
                status = search_status(session, job_id)
                _log.info("search ended", status=status, exit_code=code)
                reason = f"its process ended with code {code}"
                retry_if_running(session, job_id, self.worker_id, reason, self.now())
                return False
            if not self.stop.is_set():
                note_worker(session, self.worker_id, self.now())
                is_kept = renew_search(session, job_id, self.worker_id, self.now())
                status = search_status(session, job_id)
                if not is_kept:
                    # A search writes its end before its process ends: one that is not kept may be done.
                    word = "search cancelled" if status == "cancelled" else "search ended"
                    _log.info(word, status=status)
                return is_kept
        _log.info("worker stops; the search goes back to the queue")
        end_process(process, GRACE_S)
        with self.database.transaction() as session:
            release_search(session, job_id, self.worker_id)
        return False
