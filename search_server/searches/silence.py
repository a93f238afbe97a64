"""Which searches have lost their worker: those whose heartbeat has not changed for a while.

A heartbeat holds a time by the worker's clock, which may be wrong. So it is compared with nothing but the
heartbeat before it, and how long it has not changed is counted by a clock of this process that never jumps.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import JobRow
from search_server.searches.queue import WORKER_LEASE, retry_search

LONGEST_STEP_S = 10.0
"""A pause between two looks counts as no longer: where this process could not look, because it stood still
or the database was away, the workers could not write either."""

Beat = tuple[str, str | None, datetime | None]
"""Job, worker, and what the worker last wrote."""


@dataclass(slots=True)
class SilenceWatch:
    """What one process has seen of running searches."""

    clock_s: Callable[[], float] = time.monotonic
    _looked_at_s: float | None = None
    _silent_s: dict[Beat, float] = field(default_factory=dict)
    """How long each heartbeat has been there without a change."""

    def look(self, session: Session) -> list[Beat]:
        """Look at all running searches, and return those that have been silent for too long."""
        now_s = self.clock_s()
        passed_s = 0.0 if self._looked_at_s is None else min(now_s - self._looked_at_s, LONGEST_STEP_S)
        self._looked_at_s = now_s
        running = select(JobRow.job_id, JobRow.worker_id, JobRow.worker_expires_at).where(
            JobRow.kind == "search", JobRow.status == "running"
        )
        beats: list[Beat] = [(job, worker, beat) for job, worker, beat in session.execute(running)]
        before = self._silent_s
        self._silent_s = {beat: before[beat] + passed_s if beat in before else 0.0 for beat in beats}
        return [beat for beat in beats if self._silent_s[beat] >= WORKER_LEASE.total_seconds()]


def requeue_silent(session: Session, watch: SilenceWatch, now: datetime) -> int:
    """Queue searches again whose worker went silent, or fail them; return how many there were."""
    num_silent = 0
    for job_id, worker_id, beat in watch.look(session):
        still = select(JobRow).where(
            JobRow.job_id == job_id,
            JobRow.status == "running",
            JobRow.worker_id == worker_id,
            JobRow.worker_expires_at == beat,
        )
        row = session.scalar(still.with_for_update(skip_locked=True))
        if row is not None:
            retry_search(session, row, "its worker went silent", now)
            num_silent += 1
    return num_silent
