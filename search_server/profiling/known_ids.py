"""Whole ids of jobs, tables and models from a part that somebody typed."""

from collections.abc import Callable, Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from search_server.db.models import JobRow, LatencyTableRow, ModelRow
from search_server.resources.ids import IdKind, KnownId

MOST = 20
"""More ids than these help nobody to choose."""


def known_ids(session: Session, part: str, kind: IdKind) -> tuple[KnownId, ...]:
    """Return the ids of a kind that begin or end with a part, the newest first, at most so many.

    Ids of jobs and models begin with the time, alike for those of one day, so the end is what tells them
    apart. The word before the underscore may be left out.
    """
    return tuple(_FINDERS[kind](session, part))


def _jobs(session: Session, part: str, kind: str | None = None) -> Iterator[KnownId]:
    found = select(JobRow).where(_is_part(JobRow.job_id, part, "job_"))
    if kind is not None:
        found = found.where(JobRow.kind == kind)
    for job in session.scalars(found.order_by(JobRow.job_id.desc()).limit(MOST)):
        yield KnownId(job.job_id, f"{job.kind}, {job.status}, {job.space}, {_minute(job.created_at)}")


def _searches(session: Session, part: str) -> Iterator[KnownId]:
    return _jobs(session, part, "search")


def _tables(session: Session, part: str) -> Iterator[KnownId]:
    found = select(LatencyTableRow).where(_is_part(LatencyTableRow.snapshot, part))
    for row in session.scalars(found.order_by(LatencyTableRow.table_id.desc()).limit(MOST)):
        yield KnownId(row.snapshot, f"table, {row.space}, {row.runtime}, {_minute(row.created_at)}")


def _models(session: Session, part: str) -> Iterator[KnownId]:
    present = select(ModelRow).where(ModelRow.removed_at.is_(None))
    named = session.scalar(present.where(ModelRow.name == part).limit(1))
    if named is not None:  # a name wins, also one that looks like a part of an id
        yield KnownId(named.model_id, f"model {named.name}, {_minute(named.created_at)}")
        return
    is_part = or_(
        _is_part(ModelRow.model_id, part, "model_"), ModelRow.sha256.startswith(part, autoescape=True)
    )
    for row in session.scalars(present.where(is_part).order_by(ModelRow.model_id.desc()).limit(MOST)):
        yield KnownId(row.model_id, f"model {row.name}, {_minute(row.created_at)}")


def _is_part(column: InstrumentedAttribute[str], part: str, before: str = "") -> ColumnElement[bool]:
    beginnings = [column.startswith(f"{word}{part}", autoescape=True) for word in {"", before}]
    return or_(*beginnings, column.endswith(part, autoescape=True))


def _minute(moment: datetime) -> str:
    return moment.isoformat(" ", "minutes")[:16]


_FINDERS: dict[IdKind, Callable[[Session, str], Iterator[KnownId]]] = {
    "job": _jobs,
    "search": _searches,
    "table": _tables,
    "model": _models,
}
