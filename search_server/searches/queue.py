"""The queue of searches: claimed by a worker, kept by its heartbeat, queued again when it dies."""

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from search_server.db.models import JobRow
from search_server.jobs.registry import fail_job

WORKER_LEASE = timedelta(seconds=30)
MAX_ATTEMPTS = 10
"""How often a search is started without getting on before its job fails; each start resumes from the last
checkpoint."""


def claim_search(session: Session, worker_id: str, now: datetime) -> str | None:
    """Give the oldest waiting search to a worker; return its job id, or None."""
    oldest = (
        select(JobRow.job_id)
        .where(JobRow.kind == "search", JobRow.status == "queued")
        .order_by(JobRow.job_id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    claim = (
        update(JobRow)
        .where(JobRow.job_id == oldest, JobRow.status == "queued")
        .values(
            status="running",
            worker_id=worker_id,
            worker_expires_at=now + WORKER_LEASE,
            attempt=JobRow.attempt + 1,
            message="started",
        )
        .returning(JobRow.job_id)
    )
    job_id = session.scalar(claim)
    if job_id is not None:
        first = update(JobRow).where(JobRow.job_id == job_id, JobRow.started_at.is_(None))
        session.execute(first.values(started_at=now))
    return job_id


def renew_search(session: Session, job_id: str, worker_id: str, now: datetime) -> bool:
    """Keep a search; False means that it was cancelled or has passed to another worker: stop."""
    renewal = (
        update(JobRow)
        .where(JobRow.job_id == job_id, JobRow.worker_id == worker_id, JobRow.status == "running")
        .values(worker_expires_at=now + WORKER_LEASE)
        .returning(JobRow.job_id)
    )
    return session.scalar(renewal) is not None


def is_own_search(session: Session, job_id: str, worker_id: str) -> bool:
    """Tell whether a search still runs and is this worker's; it stays so until the transaction ends."""
    own = select(JobRow.job_id).where(
        JobRow.job_id == job_id, JobRow.worker_id == worker_id, JobRow.status == "running"
    )
    return session.scalar(own.with_for_update()) is not None


def release_search(session: Session, job_id: str, worker_id: str) -> None:
    """Queue a search again that a worker gives up because it is being stopped."""
    mine = update(JobRow).where(
        JobRow.job_id == job_id, JobRow.worker_id == worker_id, JobRow.status == "running"
    )
    session.execute(
        mine.values(
            status="queued",
            worker_id=None,
            worker_expires_at=None,
            attempt=JobRow.attempt - 1,
            message="its worker was stopped; waiting for another one",
        )
    )


def retry_search(session: Session, row: JobRow, reason: str, now: datetime) -> None:
    """Queue a search again that stopped without an end, or fail it if that happened too often."""
    if row.attempt >= MAX_ATTEMPTS:
        message = (
            f"stopped {row.attempt} times at the same place, the last time because {reason}; look at the "
            f"worker's log (memory?), then 'edgenas search resume {row.job_id}'"
        )
        fail_job(session, row.job_id, message, now)
    else:
        row.status, row.worker_id, row.worker_expires_at = "queued", None, None
        row.message = f"{reason}; waiting to resume from the last checkpoint"
    session.flush()


def search_status(session: Session, job_id: str) -> str:
    """Return the status of a search job."""
    return session.get_one(JobRow, job_id).status


def retry_if_running(session: Session, job_id: str, worker_id: str, reason: str, now: datetime) -> None:
    """Retry a search whose process ended, unless the search has an end or another worker."""
    row = session.get(JobRow, job_id, with_for_update=True)
    if row is not None and row.status == "running" and row.worker_id == worker_id:
        retry_search(session, row, reason, now)
