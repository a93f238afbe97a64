"""Which workers are alive: each notes now and then that it is."""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from search_server.db.models import WorkerRow

ALIVE_FOR = timedelta(seconds=60)
"""A worker is alive for so long after it was last heard of."""
NOTED_EVERY = timedelta(seconds=10)
FORGOTTEN_AFTER = timedelta(days=7)


def note_worker(session: Session, worker_id: str, now: datetime) -> None:
    """Note that a worker is alive, unless it was noted a moment ago."""
    row = session.get(WorkerRow, worker_id)
    if row is None:
        session.add(WorkerRow(worker_id=worker_id, started_at=now, seen_at=now))
        session.execute(delete(WorkerRow).where(WorkerRow.seen_at < now - FORGOTTEN_AFTER))
    elif abs(now - row.seen_at) >= NOTED_EVERY:  # a clock may jump back
        row.seen_at = now


def workers_alive(session: Session, now: datetime) -> int:
    """Return how many workers were heard of lately."""
    alive = select(func.count()).where(WorkerRow.seen_at >= now - ALIVE_FOR)
    return session.scalar(alive) or 0


def newest_worker(session: Session) -> tuple[str, datetime] | None:
    """Return the worker that was heard of last, and when."""
    newest = select(WorkerRow).order_by(WorkerRow.seen_at.desc()).limit(1)
    row = session.scalar(newest)
    return (row.worker_id, row.seen_at) if row else None
