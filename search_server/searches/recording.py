"""What a running search writes down. Each call belongs in a transaction of its own."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from search_server.db.models import JobRow, SearchArchitectureRow, SearchStepRow
from search_server.jobs.registry import UNFINISHED
from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.searches import SearchStep
from shared.protocol.wire import to_dict


def record_step(session: Session, job_id: str, step: SearchStep) -> None:
    """Keep a step; a resumed search that repeats a step replaces it."""
    if session.get(SearchStepRow, (job_id, step.step)) is None:
        _note_progress(session, job_id)
    session.merge(SearchStepRow(job_id=job_id, step=step.step, body=to_dict(step)))


def record_architecture(session: Session, job_id: str, found: FoundArchitecture) -> None:
    """Keep a network, or replace what was known of it: told by role and blocks."""
    row = session.scalar(
        select(SearchArchitectureRow).where(
            SearchArchitectureRow.job_id == job_id,
            SearchArchitectureRow.role == found.role,
            SearchArchitectureRow.architecture == found.architecture,
        )
    )
    if row is None or (row.body["test_accuracy"] is None and found.test_accuracy is not None):
        _note_progress(session, job_id)
    if row is None:
        row = SearchArchitectureRow(job_id=job_id, role=found.role, architecture=found.architecture)
        session.add(row)
    row.body = to_dict(found)


def set_progress(
    session: Session, job_id: str, progress: float, message: str, stage: str | None = None
) -> None:
    """Say how far a search is, 0..1, and what it does now; a stage of None stays as it is."""
    values: dict[str, object] = {"progress": progress, "message": message}
    if stage is not None:
        values["stage"] = stage
    running = update(JobRow).where(JobRow.job_id == job_id, JobRow.status.in_(UNFINISHED))
    session.execute(running.values(values))


def _note_progress(session: Session, job_id: str) -> None:
    """Forget earlier stops: a search that gets on may be stopped as often as that happens to it."""
    session.execute(update(JobRow).where(JobRow.job_id == job_id).values(attempt=1))
