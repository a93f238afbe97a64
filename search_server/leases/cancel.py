"""Cancel a job with all that hangs on it: its leases, the jobs it started, its worker."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import JobRow
from search_server.db.visibility import SEES_ALL
from search_server.errors import ConflictError
from search_server.jobs.registry import UNFINISHED, cancel_job
from search_server.leases.leases import cancel_leases


def cancel_whole_job(session: Session, job: JobRow, now: datetime) -> None:
    """End a job now; agents stop at their next heartbeat, a worker when it next looks.

    Raises:
        ConflictError: the job has ended already.
    """
    session.refresh(job, with_for_update=True)  # another request may be ending it
    if job.status not in UNFINISHED:
        raise ConflictError("job_ended", f"job {job.job_id} has ended ({job.status}); nothing to cancel")
    _cancel(session, job, now)
    session.refresh(job)


def cancel_device_jobs(session: Session, device_id: str, now: datetime) -> None:
    """End all jobs of a device that is going away."""
    unfinished = JobRow.status.in_(UNFINISHED)
    jobs = select(JobRow).where(JobRow.device_id == device_id, unfinished)
    for job in session.scalars(jobs, execution_options=SEES_ALL).all():
        _cancel(session, job, now)


def _cancel(session: Session, job: JobRow, now: datetime) -> None:
    cancel_job(session, job.job_id, now)
    cancel_leases(session, job.job_id, now)
    children = select(JobRow).where(JobRow.parent_job_id == job.job_id, JobRow.status.in_(UNFINISHED))
    for child in session.scalars(children, execution_options=SEES_ALL).all():
        _cancel(session, child, now)
