"""Private rows: read by their owner, by administrators and by the server's own work, by nobody else.

A session that is restricted to a reader finds the private jobs and tables of others nowhere: not in lists,
not by their id, not behind their leases. So each query is written once, as if there were no readers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from sqlalchemy import event, exists, or_
from sqlalchemy.orm import ORMExecuteState, Session, sessionmaker, with_loader_criteria
from sqlalchemy.sql.base import ExecutableOption

from search_server.db.models import (
    JobRow,
    LatencyTableRow,
    LeaseRow,
    MeasuredLatencyRow,
    ModelLatencyRow,
    TableCheckRow,
)

SEES_ALL = {"sees_all": True}
"""Execution options of a query that finds everybody's rows, in a restricted session too."""

_READER = "reader"
_NOBODY = ""
"""Owns nothing, and so reads what is not private."""


def restrict(session: Session, reader: str) -> None:
    """Let a session find nothing that is private to another user than this one."""
    session.info[_READER] = reader


@contextmanager
def reading_for(session: Session, job: JobRow) -> Iterator[None]:
    """Let a session of the server itself find, within a block, what every reader of a job may read."""
    restrict(session, job.owner if job.is_private else _NOBODY)
    try:
        yield
    finally:
        del session.info[_READER]


def hide_private_rows(maker: sessionmaker[Session]) -> None:
    """Make the restriction hold in all sessions of a maker."""
    event.listen(maker, "do_orm_execute", _hide)


def _hide(state: ORMExecuteState) -> None:
    reader = state.session.info.get(_READER)
    is_own_load = state.is_column_load or state.is_relationship_load
    if reader is None or is_own_load or not (state.is_select and state.is_orm_statement):
        return
    if state.execution_options.get("sees_all", False):
        return
    state.statement = state.statement.options(*_criteria(reader))


@lru_cache(maxsize=256)
def _criteria(reader: str) -> tuple[ExecutableOption, ...]:
    """Return what a query of this reader leaves out; to build it takes longer than the query."""
    options = [
        with_loader_criteria(row, or_(row.is_private.is_(False), row.owner == reader), include_aliases=True)
        for row in (JobRow, LatencyTableRow)
    ]
    # A table of its own: under the criteria above, JobRow could be that of the query outside.
    jobs = JobRow.__table__.alias()
    is_visible = or_(jobs.c.is_private.is_(False), jobs.c.owner == reader)
    options += [
        with_loader_criteria(
            row, exists().where(jobs.c.job_id == row.job_id, is_visible), include_aliases=True
        )
        for row in (LeaseRow, MeasuredLatencyRow, ModelLatencyRow, TableCheckRow)
    ]
    return tuple(options)
