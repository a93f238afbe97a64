"""Profile jobs: asked for, reused where a valid table exists, shown."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from search_server.db.models import DeviceRow, JobRow, LeaseRow
from search_server.devices.operators import require_operators
from search_server.devices.registry import device_facts, find_device
from search_server.devices.support import require_table_support
from search_server.errors import refusing_values
from search_server.jobs.registry import (
    ENDED,
    UNFINISHED,
    Submission,
    create_job,
    describe_one,
    earlier_job,
    finish_job,
    job_resources,
)
from search_server.latency.stored.snapshots import is_private_table, load_tables, newest_accepted
from search_server.latency.table import LatencyTable
from search_server.leases.leases import create_lease
from search_server.profiling.kept_windows import keep_windows
from search_server.profiling.plan import (
    MIN_PROFILE_LEASES,
    PROFILE_WINDOW_S,
    ItemFactory,
    policy,
    profile_items,
)
from search_server.resources.jobs import Job
from search_server.resources.tables import Outlook, Profile, ProfileCreate
from search_server.store import Store
from shared.protocol.device import Conditions
from shared.protocol.wire import from_dict
from shared.search_space import search_space


def request_profile(
    session: Session, store: Store, create: ProfileCreate, submission: Submission, now: datetime
) -> JobRow:
    """Queue what it takes to measure a space's table on a device, or answer with what there is.

    Without ``force`` an accepted table of the device's present runtime version ends the job at once, and
    an unfinished profile of the same space and conditions is answered instead of a second one. Neither may
    accept noise that the request does not accept.
    """
    earlier = earlier_job(session, submission, "profile", create)
    if earlier is not None:
        return earlier
    device = find_device(session, create.device)
    with refusing_values("body.space"):
        space = search_space(create.space)
    require_table_support(device, create.conditions)
    require_operators(device, space)
    if not create.force:
        running = _unfinished_profile(session, device, space.name, create)
        if running is not None:
            return running
    job = create_job(
        session, submission, "profile", device, space.name, create.conditions, create, now, create.name
    )
    table = None if create.force else _valid_table(session, device, space.name, create.conditions)
    if table is not None and table.is_noise_accepted <= create.accept_noise:
        finish_job(
            session,
            job.job_id,
            now,
            started_at=now,
            snapshot=table.snapshot,
            result={"is_reused": True},
            message="a valid table exists; measure again with --force",
        )
        job.is_private = job.is_private or is_private_table(session, table.snapshot)
        session.flush()
        session.refresh(job)
        return job
    factory = ItemFactory(session, store, create.conditions, now)
    num_kept = 0 if create.force else keep_windows(session, job, device, factory, create.accept_noise)
    job.num_windows = MIN_PROFILE_LEASES - num_kept
    items = profile_items(space, factory, num_kept)
    how_long = policy(
        num_kept,
        create.conditions,
        window_s=PROFILE_WINDOW_S,
        is_first=True,
        accept_noise=create.accept_noise,
    )
    create_lease(session, job, items, how_long, now, num_kept)
    return job


def profile_resources(session: Session, jobs: Sequence[JobRow], now: datetime) -> list[Profile]:
    """Return profile jobs and their tables as routes answer them."""
    tables = load_tables(session, {job.snapshot for job in jobs if job.snapshot})
    device_times_s = _device_times_s(session, jobs)
    return [
        _profile(job, resource, tables.get(job.snapshot or ""), device_times_s.get(job.job_id, 0.0))
        for job, resource in zip(jobs, job_resources(session, jobs, now), strict=True)
    ]


profile_resource = describe_one(profile_resources)


def _profile(job: JobRow, resource: Job, table: LatencyTable | None, device_time_s: float) -> Profile:
    result = job.result or {}
    view = result.get("outlook") if job.status not in ENDED else None
    return Profile(
        job=resource,
        num_entries=len(table.entries) if table else 0,
        device_time_s=device_time_s,
        snapshot=job.snapshot,
        verdict=table.verdict if table else None,
        is_reused=bool(result.get("is_reused")),
        outlook=from_dict(view, Outlook) if view else None,
    )


def _unfinished_profile(
    session: Session, device: DeviceRow, space: str, create: ProfileCreate
) -> JobRow | None:
    statement = (
        select(JobRow)
        .where(JobRow.kind == "profile", JobRow.status.in_(UNFINISHED), JobRow.space == space)
        .where(JobRow.device_id == device.device_id, JobRow.conditions_key == create.conditions.key)
    )
    unfinished = session.scalars(statement)
    alike = (job for job in unfinished if job.request.get("accept_noise", False) == create.accept_noise)
    return next(alike, None)


def _valid_table(
    session: Session, device: DeviceRow, space: str, conditions: Conditions
) -> LatencyTable | None:
    """Return the table measured with the runtime version that the device has now, if any."""
    versions = {known.name: known.version for known in device_facts(device).runtimes}
    present = replace(conditions, runtime_version=versions.get(conditions.runtime))
    return newest_accepted(session, device.device_id, space, present)


def _device_times_s(session: Session, jobs: Sequence[JobRow]) -> dict[str, float]:
    """Return by job id for how long devices measured."""
    statement = select(LeaseRow.job_id, func.sum(LeaseRow.device_s)).where(
        LeaseRow.job_id.in_([job.job_id for job in jobs]), LeaseRow.status == "done"
    )
    return dict(session.execute(statement.group_by(LeaseRow.job_id)).all())
