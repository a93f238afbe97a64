"""Jobs as the server keeps them: created once, found by id, started, failed, finished."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

import structlog
from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from search_server.data_roots import NO_ROOTS, DataRoots
from search_server.db.ids import new_id
from search_server.db.models import DeviceRow, JobRow, UserRow
from search_server.db.paging import fetch_page
from search_server.devices.registry import is_online
from search_server.errors import ConflictError, NotFoundError, TooManyRequestsError
from search_server.people import NOBODYS, Ownership
from search_server.resources.jobs import Job, JobKind, JobUpdate
from search_server.resources.page import Page
from search_server.tokens import Caller
from shared.protocol.device import Conditions
from shared.protocol.wire import from_dict, to_dict

R = TypeVar("R")

Describe = Callable[[Session, Sequence[JobRow], datetime], list[R]]
"""Gives jobs as routes answer them, with as many queries for many as for one."""

ENDED: Sequence[str] = ("done", "failed", "cancelled")
UNFINISHED: Sequence[str] = ("queued", "running")

_HOW_TO_LIST: dict[JobKind, str] = {
    "profile": "the overview page and GET /api/v1/profiles list those that exist",
    "measurement": "the overview page and GET /api/v1/measurements list those that exist",
    "check": "the overview page and GET /api/v1/checks list those that exist",
    "search": "'edgenas search list' shows those that exist",
    "model": "GET /api/v1/models/MODEL/measurements lists those of a model",
    "gate": "GET /api/v1/gates lists those that exist",
}

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Submission:
    """Who asks for a job, and how often they may: the part that is alike for all kinds."""

    caller: Caller | None
    """None: another job of the server."""
    idempotency_key: str | None = None
    max_queued_jobs: int = 100
    parent_job_id: str | None = None
    is_private: bool = False
    data_roots: DataRoots = NO_ROOTS
    """Where the images of a search may lie."""
    teachers: tuple[str, ...] = ()
    """Functions that a search may take a teacher from, as ``MODULE:FUNCTION``."""

    def kept_private(self, is_private: bool) -> "Submission":
        """Return the same for a job that others may not find."""
        return replace(self, is_private=is_private)

    def ownership(self, parent: JobRow | None) -> Ownership:
        """Return whom the job belongs to: who asks for it, or whom the job that asks belongs to."""
        if parent is not None:
            return Ownership(parent.owner, parent.is_private)
        return self.caller.owning(self.is_private) if self.caller else NOBODYS


def earlier_job(session: Session, submission: Submission, kind: JobKind, request: object) -> JobRow | None:
    """Return the job that the same Idempotency-Key made before, if any.

    Raises:
        ConflictError: the key came with another request.
        TooManyRequestsError: the caller, no administrator, has too many unfinished jobs already.
    """
    caller = submission.caller
    if caller is None:
        return None
    mine = select(JobRow).where(JobRow.owner == caller.owner)
    if submission.idempotency_key is not None or not caller.is_admin:
        # Who submits at the same time waits here, then finds the job of the same key and all that count.
        user = select(UserRow.name).where(UserRow.name == caller.owner)
        session.execute(user.with_for_update(key_share=True))
    if submission.idempotency_key is not None:
        row = session.scalar(
            mine.where(
                JobRow.token_id == caller.token_id, JobRow.idempotency_key == submission.idempotency_key
            )
        )
        if row is not None and (row.kind != kind or row.request != to_dict(request)):
            raise ConflictError(
                "idempotency_key_reused",
                f"Idempotency-Key {submission.idempotency_key!r} belongs to job {row.job_id}, which asked "
                "for something else; send a new key with a new request",
            )
        if row is not None:
            return row
    if caller.is_admin:
        return None
    unfinished = mine.where(JobRow.status.in_(UNFINISHED)).with_only_columns(func.count())
    if (session.scalar(unfinished) or 0) >= submission.max_queued_jobs:
        raise TooManyRequestsError(
            "too_many_jobs",
            f"user {caller.owner} has {submission.max_queued_jobs} unfinished jobs already, as many as "
            "EDGENAS_MAX_QUEUED_JOBS allows; wait for some to end, or cancel them",
        )
    return None


def create_job(
    session: Session,
    submission: Submission,
    kind: JobKind,
    device: DeviceRow,
    space: str,
    conditions: Conditions,
    request: object,
    now: datetime,
    name: str = "",
) -> JobRow:
    """Queue a job; ``request`` is the resource that asked for it."""
    parent = session.get(JobRow, submission.parent_job_id) if submission.parent_job_id else None
    ownership = submission.ownership(parent)
    row = JobRow(
        job_id=new_id("job", now),
        kind=kind,
        status="queued",
        device_id=device.device_id,
        space=space,
        conditions=to_dict(conditions),
        conditions_key=conditions.key,
        request=to_dict(request),
        parent_job_id=submission.parent_job_id,
        owner=ownership.owner,
        is_private=ownership.is_private,
        name=name,
        token_id=submission.caller.token_id if submission.caller else None,
        idempotency_key=submission.idempotency_key,
        created_at=now,
    )
    session.add(row)
    session.flush()
    _log.info("job queued", job=row.job_id, kind=kind, device=device.name)
    return row


def find_job(session: Session, id_or_name: str, kind: JobKind) -> JobRow:
    """Return a job of this kind, by its id or by a name that it alone of its kind has.

    Raises:
        NotFoundError: there is none of this id or name and kind.
        ConflictError: several have the name.
    """
    row = session.get(JobRow, id_or_name)
    if row is None and id_or_name:
        named = select(JobRow).where(JobRow.name == id_or_name, JobRow.kind == kind)
        row = _only_job(session.scalars(named.order_by(JobRow.job_id.desc()).limit(9)).all())
    if row is None or row.kind != kind:
        raise NotFoundError(f"unknown_{kind}", f"no {kind} job {id_or_name!r}; {_HOW_TO_LIST[kind]}")
    return row


def _only_job(rows: Sequence[JobRow]) -> JobRow | None:
    if len(rows) > 1:
        ids = ", ".join(row.job_id for row in rows)
        raise ConflictError(
            "ambiguous_name",
            f"several jobs are called {rows[0].name!r}, the newest are {ids}; use the id of one of them",
        )
    return rows[0] if rows else None


def update_job(session: Session, job_id: str, change: JobUpdate, caller: Caller) -> JobRow:
    """Change a job's name or note.

    Raises:
        NotFoundError: there is none of this id.
        ForbiddenError: it is another user's.
    """
    row = session.get(JobRow, job_id)
    if row is None:
        raise NotFoundError("unknown_job", f"no job {job_id!r}; 'edgenas search list' shows searches")
    caller.require_own(row.owner, f"job {job_id}")
    row.name = row.name if change.name is None else change.name
    row.note = row.note if change.note is None else change.note
    return row


def start_job(session: Session, job_id: str, now: datetime) -> None:
    """Note that a queued job is at work."""
    queued = update(JobRow).where(JobRow.job_id == job_id, JobRow.status == "queued")
    session.execute(queued.values(status="running", started_at=now, message=""))


def fail_job(session: Session, job_id: str, message: str, now: datetime) -> None:
    """End a job without success, unless it has ended; the message says what to do."""
    _end_job(session, job_id, "failed", {"message": message}, now)


def finish_job(session: Session, job_id: str, now: datetime, **values: Any) -> None:
    """End a job with success, unless it has ended; ``values`` are further columns to set."""
    _end_job(session, job_id, "done", {"progress": 1.0, **values}, now)


def cancel_job(session: Session, job_id: str, now: datetime) -> None:
    """End a job because somebody asked for that, unless it has ended."""
    _end_job(session, job_id, "cancelled", {"message": "cancelled"}, now)


def list_jobs(
    session: Session,
    kind: JobKind,
    describe: Describe[R],
    cursor: str | None,
    limit: int,
    now: datetime,
    **columns: str | None,
) -> Page[R]:
    """Return jobs of a kind as routes answer them, newest first; a column that is not None must match."""
    wanted = {name: value for name, value in columns.items() if value is not None}
    statement = select(JobRow).filter_by(kind=kind, **wanted)
    rows, next_cursor = fetch_page(session, statement, JobRow.job_id, cursor, limit)
    return Page(tuple(describe(session, rows, now)), next_cursor)


def describe_one(describe: Describe[R]) -> Callable[[Session, JobRow, datetime], R]:
    """Return what describes a single job as it is in a list."""
    return lambda session, row, now: describe(session, (row,), now)[0]


def job_resources(session: Session, rows: Sequence[JobRow], now: datetime) -> list[Job]:
    """Return jobs as routes answer them; a waiting one says for which device, and when that was seen."""
    ids = {row.device_id for row in rows}
    devices = session.scalars(select(DeviceRow).where(DeviceRow.device_id.in_(ids)))
    by_id = {device.device_id: device for device in devices}
    return [_job_resource(row, by_id[row.device_id], now) for row in rows]


job_resource = describe_one(job_resources)


def by_job(session: Session, statement: Select[str, Any], kind: type[R]) -> dict[str, tuple[R, ...]]:
    """Return what several jobs have, by job id, from a query for job ids and bodies of a kind."""
    found: dict[str, tuple[R, ...]] = {}
    for job_id, body in session.execute(statement):
        found[job_id] = (*found.get(job_id, ()), from_dict(body, kind))
    return found


def _job_resource(row: JobRow, device: DeviceRow, now: datetime) -> Job:
    message = row.message
    if row.status == "queued" and row.kind != "search":
        message = _waiting_message(device, now)
    return Job(
        job_id=row.job_id,
        kind=row.kind,
        status=row.status,
        device_id=row.device_id,
        device_name=device.name,
        space=row.space,
        conditions=from_dict(row.conditions, Conditions),
        created_at=row.created_at.isoformat(),
        started_at=row.started_at.isoformat() if row.started_at else None,
        finished_at=row.finished_at.isoformat() if row.finished_at else None,
        progress=row.progress,
        message=message,
        parent_job_id=row.parent_job_id,
        owner=row.owner,
        is_private=row.is_private,
        name=row.name,
        note=row.note,
    )


def _end_job(session: Session, job_id: str, status: str, values: dict[str, Any], now: datetime) -> None:
    unfinished = update(JobRow).where(JobRow.job_id == job_id, JobRow.status.in_(UNFINISHED))
    end = unfinished.values(status=status, finished_at=now, worker_expires_at=None, **values)
    if session.scalar(end.returning(JobRow.job_id)) is not None:
        _log.info("job ended", job=job_id, status=status, message=values.get("message", ""))


def _waiting_message(device: DeviceRow, now: datetime) -> str:
    if is_online(device, now) and device.waiting_for:
        return f"waiting for device {device.name}, which waits for: {device.waiting_for}"
    if is_online(device, now):
        return f"waiting for device {device.name}, which is online"
    if device.last_seen_at is None:
        return f"waiting for device {device.name}, never seen; start 'profiler-agent run' on it"
    minutes = round((now - device.last_seen_at).total_seconds() / 60)
    ago = f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
    way_out = "if it is off, start 'profiler-agent run' on it"
    return f"waiting for device {device.name}, last seen {ago} ago; {way_out}"
