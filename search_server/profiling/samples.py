"""The samples behind a job: which leases count for it, and what each of them gave."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import DeviceRow, JobRow, LeaseRow
from search_server.errors import ConflictError, NotFoundError
from search_server.leases.ingest import received_results
from search_server.leases.leases import lease_items
from search_server.profiling.kept_windows import kept_leases
from search_server.resources.samples import ItemSamples, JobLease, LeaseSamples
from shared.architecture import Architecture
from shared.protocol.device import Conditions
from shared.protocol.wire import from_dict
from shared.search_space import SearchSpace, search_space
from shared.workload import Workload


def job_leases(session: Session, job_id: str) -> tuple[JobLease, ...]:
    """Return the leases that count for a job, in the order in which they were measured.

    Raises:
        NotFoundError: no such job.
    """
    job = session.get(JobRow, job_id)
    if job is None:
        raise NotFoundError(
            "unknown_job",
            f"no job {job_id!r}; GET /api/v1/profiles, /measurements and /checks list those that exist",
        )
    return tuple(_lease(row) for row in (*kept_leases(session, job), *own_leases(session, job)))


def measured_leases(session: Session, job_id: str) -> tuple[str, ...]:
    """Return the ids of a job's leases that are done, in the order in which they were measured.

    Raises:
        NotFoundError: no such job.
        ConflictError: nothing was measured for it.
    """
    leases = job_leases(session, job_id)
    done = tuple(lease.lease_id for lease in leases if lease.status == "done")
    if not done:
        waiting = "none of its leases is done yet" if leases else "it has no leases"
        raise ConflictError("no_samples", f"job {job_id} has no samples: {waiting}{_hint(session, job_id)}")
    return done


def own_leases(session: Session, job: JobRow) -> Sequence[LeaseRow]:
    """Return the leases that a job asked for, in the order in which they were finished."""
    statement = select(LeaseRow).where(LeaseRow.job_id == job.job_id)
    return session.scalars(statement.order_by(LeaseRow.finished_at.nulls_last(), LeaseRow.lease_id)).all()


def lease_samples(session: Session, lease_id: str) -> LeaseSamples:
    """Return all that the last hand-out of a lease gave.

    Raises:
        NotFoundError: no such lease.
    """
    row = session.get(LeaseRow, lease_id)
    if row is None:
        raise NotFoundError(
            "unknown_lease", f"no lease {lease_id!r}; GET /api/v1/leases?job=ID lists those of a job"
        )
    job = session.get_one(JobRow, row.job_id)
    space = search_space(job.space)
    items = {item.item_id: item for item in lease_items(row)}
    return LeaseSamples(
        lease=_lease(row),
        device_id=row.device_id,
        device_name=session.get_one(DeviceRow, row.device_id).name,
        space=job.space,
        conditions=from_dict(row.conditions, Conditions),
        items=tuple(
            ItemSamples(
                item_id=item.item_id,
                architecture=_architecture_text(item.workload, space),
                is_anchor=item.is_anchor,
                is_profiled=item.profile_segments,
                received_at=received.received_at.isoformat(),
                result=received.result,
                summary=received.summary,
            )
            for received in received_results(session, row)
            for item in (items[received.result.item_id],)
        ),
    )


def _lease(row: LeaseRow) -> JobLease:
    return JobLease(
        lease_id=row.lease_id,
        job_id=row.job_id,
        status=row.status,
        num_items=len(row.items),
        num_hand_outs=row.fence,
        device_s=row.device_s,
        created_at=row.created_at.isoformat(),
        leased_at=row.leased_at.isoformat() if row.leased_at else None,
        finished_at=row.finished_at.isoformat() if row.finished_at else None,
    )


def _architecture_text(workload: Workload | None, space: SearchSpace) -> str | None:
    """Return the blocks of a network by its layers; stem and head may be others than the space's."""
    if workload is None:
        return None
    layers = workload.segments[1:-1]
    if len(layers) != space.num_layers:
        return None
    blocks = [
        next((block for block in space.candidates if space.candidate(layer, block) == segment), None)
        for layer, segment in zip(space.layers, layers, strict=True)
    ]
    known = [block for block in blocks if block is not None]
    return str(Architecture(space, tuple(known))) if len(known) == len(blocks) else None


def _hint(session: Session, job_id: str) -> str:
    """Return which other jobs measured for this one, if any."""
    job = session.get_one(JobRow, job_id)
    others = list(session.scalars(select(JobRow.job_id).where(JobRow.parent_job_id == job_id)))
    if not others and job.kind == "profile" and job.snapshot is not None:
        made = select(JobRow.job_id).where(JobRow.snapshot == job.snapshot, JobRow.kind == "profile")
        others = list(session.scalars(made.order_by(JobRow.job_id).limit(1)))
    return f"; jobs that measured for it: {', '.join(others)}" if others else ""
