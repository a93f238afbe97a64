"""Leases: created, claimed, renewed, given back, requeued when they expire, cancelled.

A claim is one atomic UPDATE. A device holds one lease at a time (a partial unique index says so too),
every hand-out raises the fence, and what comes with an old fence is refused.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from search_server.db.ids import new_id
from search_server.db.models import DeviceRow, JobRow, LeaseArtifactRow, LeaseRow
from search_server.errors import ConflictError
from search_server.jobs.registry import fail_job, start_job
from search_server.leases.bell import announce_lease
from shared.protocol.device import Conditions
from shared.protocol.measurement import (
    NEW_OPERATORS_PROTOCOL,
    OWN_FILES_PROTOCOL,
    PROTOCOL_MIN,
    Lease,
    LeaseItem,
    Policy,
)
from shared.protocol.wire import from_dict, to_dict
from shared.workload import is_old

LEASE_TTL_S = 30.0
HEARTBEAT_S = 5.0
MAX_HAND_OUTS = 3
"""A lease that expires so often makes its job fail; what an agent gave back does not count."""


def create_lease(
    session: Session,
    job: JobRow,
    items: Sequence[LeaseItem],
    policy: Policy,
    now: datetime,
    group_index: int = 0,
) -> LeaseRow:
    """Queue a lease for a job's device."""
    row = LeaseRow(
        lease_id=new_id("lease", now),
        job_id=job.job_id,
        device_id=job.device_id,
        group_index=group_index,
        status="pending",
        ttl_s=LEASE_TTL_S,
        items=to_dict(tuple(items)),
        policy=to_dict(policy),
        conditions=job.conditions,
        created_at=now,
    )
    session.add(row)
    session.flush()
    hashes = {item.artifact.sha256 for item in items if item.artifact is not None}
    session.add_all(LeaseArtifactRow(lease_id=row.lease_id, sha256=sha256) for sha256 in hashes)
    announce_lease(session, job.device_id)
    return row


def claim_lease(session: Session, device_id: str, now: datetime) -> Lease | None:
    """Hand the device's oldest pending lease out, or None: there is none, or it holds one already."""
    if not _has_work(session, device_id, now):
        return None  # as mostly: what follows costs five times as much
    expire_overdue(session, now, device_id)
    held = aliased(LeaseRow)
    oldest = (
        select(LeaseRow.lease_id)
        .where(LeaseRow.device_id == device_id, LeaseRow.status == "pending")
        .order_by(LeaseRow.lease_id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    claim = (
        update(LeaseRow)
        .where(LeaseRow.lease_id == oldest, LeaseRow.status == "pending")
        .where(~exists().where(held.device_id == device_id, held.status == "leased"))
        .values(
            status="leased",
            fence=LeaseRow.fence + 1,
            leased_at=now,
            expires_at=now + timedelta(seconds=LEASE_TTL_S),
            progress=0.0,
        )
        .returning(LeaseRow)
        .execution_options(synchronize_session=False)
    )
    try:
        with session.begin_nested():
            row = session.scalar(claim)
    except IntegrityError:  # two claims of one device met: the index let one through
        return None
    if row is None:
        return None
    start_job(session, row.job_id, now)
    return to_lease(row)


def _has_work(session: Session, device_id: str, now: datetime) -> bool:
    """Tell whether a lease of the device is pending, or overdue and so about to be."""
    is_overdue = and_(LeaseRow.status == "leased", LeaseRow.expires_at <= now)
    work = exists().where(LeaseRow.device_id == device_id, or_(LeaseRow.status == "pending", is_overdue))
    return bool(session.scalar(select(work)))


def to_lease(row: LeaseRow) -> Lease:
    """Return the message that hands a lease out."""
    items = lease_items(row)
    return Lease(
        lease_id=row.lease_id,
        fence=row.fence,
        device_id=row.device_id,
        items=items,
        conditions=from_dict(row.conditions, Conditions),
        policy=from_dict(row.policy, Policy),
        ttl_s=row.ttl_s,
        protocol=max(map(_protocol, items)),  # not the newest, so that older agents go on
    )


def _protocol(item: LeaseItem) -> int:
    """Return the first protocol in which an item can be measured."""
    if item.workload is None:
        return OWN_FILES_PROTOCOL
    return PROTOCOL_MIN if all(map(is_old, item.workload.segments)) else NEW_OPERATORS_PROTOCOL


def lease_items(row: LeaseRow) -> tuple[LeaseItem, ...]:
    """Return what a lease measures."""
    return from_dict(row.items, tuple[LeaseItem, ...])


def renew_lease(
    session: Session, device_id: str, lease_id: str, fence: int, progress: float | None, now: datetime
) -> bool:
    """Prolong a lease; False means that it was cancelled or has passed to another hand: stop.

    A lease that expired while its agent was cut off goes on if it was not handed out again meanwhile.
    """
    values: dict[str, Any] = {"status": "leased", "expires_at": now + timedelta(seconds=LEASE_TTL_S)}
    if progress is not None:
        values["progress"] = min(1.0, max(0.0, progress))
    renewal = (
        update(LeaseRow)
        .where(LeaseRow.lease_id == lease_id, LeaseRow.device_id == device_id)
        .where(LeaseRow.fence == fence, LeaseRow.status.in_(("leased", "pending")))
        .where(LeaseRow.leased_at.is_not(None))  # a heartbeat may overtake the message that gives back
        .values(values)
        .returning(LeaseRow.job_id)
    )
    try:
        with session.begin_nested():
            job_id = session.scalar(renewal)
    except IntegrityError:  # it had expired, and the device holds another lease by now
        return False
    if job_id is not None:
        _update_progress(session, job_id)
    return job_id is not None


def give_back_lease(session: Session, device_id: str, lease_id: str, fence: int) -> None:
    """Queue a lease again at once, because its agent stops; this hand-out does not count.

    Raises:
        ConflictError: the device does not hold the lease with this fence.
    """
    held = (LeaseRow.device_id == device_id, LeaseRow.fence == fence, LeaseRow.status == "leased")
    statement = (
        update(LeaseRow)
        .where(LeaseRow.lease_id == lease_id, *held)
        .values(
            status="pending",
            num_given_back=LeaseRow.num_given_back + 1,
            leased_at=None,
            expires_at=None,
            progress=0.0,
        )
        .returning(LeaseRow.lease_id)
    )
    if session.scalar(statement) is None:
        raise ConflictError(
            "stale_fence",
            f"this device does not hold lease {lease_id!r} with fence {fence}; "
            "there is nothing to give back",
        )
    announce_lease(session, device_id)


def expire_overdue(session: Session, now: datetime, device_id: str | None = None) -> int:
    """Queue again what was leased and not renewed, or fail its job; return the number of leases."""
    overdue = select(LeaseRow).where(LeaseRow.status == "leased", LeaseRow.expires_at <= now)
    if device_id is not None:
        overdue = overdue.where(LeaseRow.device_id == device_id)
    rows = session.scalars(overdue.with_for_update(skip_locked=True)).all()
    for row in rows:
        row.expires_at = None
        num_expired = row.fence - row.num_given_back
        if num_expired < MAX_HAND_OUTS:
            row.status = "pending"
            announce_lease(session, row.device_id)
            continue
        row.status, row.finished_at = "expired", now
        name = session.scalar(select(DeviceRow.name).where(DeviceRow.device_id == row.device_id))
        reason = (
            f"device {name} took lease {row.lease_id} {num_expired} times and did not finish it; look at "
            "the agent's log on the device, run 'profiler-agent selftest' there, then submit the job again"
        )
        fail_job(session, row.job_id, reason, now)
        cancel_leases(session, row.job_id, now)
    session.flush()
    return len(rows)


def cancel_leases(session: Session, job_id: str, now: datetime) -> None:
    """Take back all leases of a job that are not finished; heartbeats tell their agents to stop."""
    unfinished = LeaseRow.status.in_(("pending", "leased"))
    statement = update(LeaseRow).where(LeaseRow.job_id == job_id, unfinished)
    session.execute(statement.values(status="cancelled", finished_at=now))


def _update_progress(session: Session, job_id: str) -> None:
    job = session.get_one(JobRow, job_id)
    statement = select(func.coalesce(func.sum(LeaseRow.progress), 0.0)).where(LeaseRow.job_id == job_id)
    windows = session.scalar(statement.where(LeaseRow.status.in_(("leased", "done")))) or 0.0
    job.progress = max(job.progress, min(0.99, windows / max(1, job.num_windows)))
