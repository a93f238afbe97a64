"""Check jobs: the anchor and three cover networks tell in seconds whether a table still holds."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import DeviceRow, JobRow, TableCheckRow
from search_server.db.visibility import reading_for
from search_server.devices.operators import require_operators
from search_server.devices.support import require_support
from search_server.jobs.registry import (
    Submission,
    create_job,
    describe_one,
    earlier_job,
    finish_job,
    job_resources,
)
from search_server.latency.covers import cover_architectures
from search_server.latency.drift import rescaled
from search_server.latency.stored.lineage import same_profile
from search_server.latency.stored.snapshots import (
    is_private_table,
    load_table,
    newest_snapshot,
    require_newest,
    store_table,
)
from search_server.latency.table import LatencyTable
from search_server.leases.leases import create_lease
from search_server.profiling.plan import (
    MEASUREMENT_LEASES,
    ItemFactory,
    measurement_groups,
    policy,
)
from search_server.resources.checks import CheckCreate, Drift, TableCheck
from search_server.resources.tables import Lineage
from search_server.store import Store
from shared.architecture import Architecture
from shared.protocol.wire import from_dict, to_dict
from shared.search_space import SearchSpace

NUM_NETWORKS = 3


def submit_check(
    session: Session, store: Store, create: CheckCreate, submission: Submission, now: datetime
) -> JobRow:
    """Queue the leases that compare a device with the newest table under its conditions.

    Raises:
        NotFoundError: no such snapshot.
        ConflictError: the snapshot is not the newest accepted one, or the device has no agent.
    """
    earlier = earlier_job(session, submission, "check", create)
    if earlier is not None:
        return earlier
    table = load_table(session, create.snapshot)
    require_newest(session, table)
    device = session.get_one(DeviceRow, table.device_id)
    require_support(device, table.conditions)
    require_operators(device, table.search_space)
    job = create_job(session, submission, "check", device, table.space, table.conditions, create, now)
    job.is_private = job.is_private or is_private_table(session, table.snapshot)
    job.snapshot, job.num_windows = table.snapshot, MEASUREMENT_LEASES
    _measure(session, store, job, table, 0, now)
    return job


def measure_again(session: Session, store: Store, job: JobRow, drift: Drift, now: datetime) -> None:
    """Queue the same leases once more: a busy moment must not take a table out of use."""
    job.num_windows = 2 * MEASUREMENT_LEASES
    job.message = f"{drift}: looks stale; measuring once more"
    _measure(session, store, job, load_table(session, drift.snapshot), MEASUREMENT_LEASES, now)


def _measure(
    session: Session, store: Store, job: JobRow, table: LatencyTable, first_lease: int, now: datetime
) -> None:
    factory = ItemFactory(session, store, table.conditions, now)
    space = table.search_space
    for items in measurement_groups(space, check_networks(space), factory):
        for index in range(first_lease, first_lease + MEASUREMENT_LEASES):
            how_long = policy(
                index,
                table.conditions,
                is_first=index == first_lease,
                accept_noise=table.is_noise_accepted,
            )
            create_lease(session, job, items, how_long, now)


def check_networks(space: SearchSpace) -> tuple[Architecture, ...]:
    """Return the networks of a check, in the order of their item ids."""
    return cover_architectures(space, 0)[:NUM_NETWORKS]


def checked_tables(session: Session, snapshot: str) -> tuple[LatencyTable, LatencyTable]:
    """Return a table, and the one that it came from by rescaling and recalibration."""
    return load_table(session, snapshot), load_table(session, same_profile(session, snapshot)[-1])


def settle_check(session: Session, job: JobRow, drift: Drift, now: datetime) -> None:
    """Keep what a check found, end its job, and rescale the table if only its level moved."""
    device = session.get_one(DeviceRow, job.device_id)
    message = f"{drift}: {drift.outcome}"
    if drift.outcome == "rescaled":
        drift = _rescale(session, job, drift, now)
        message = f"{drift}: rescaled to table {drift.rescaled_to}"
        if drift.rescaled_to is None:
            message = f"{drift}: not rescaled, for a newer table was measured meanwhile"
    if drift.outcome == "stale":
        message += f"; measure it again: edgenas profile -d {device.name} -s {job.space}"
    session.add(TableCheckRow(job_id=job.job_id, snapshot=drift.snapshot, body=to_dict(drift)))
    finish_job(session, job.job_id, now, message=message)


def check_resources(session: Session, jobs: Sequence[JobRow], now: datetime) -> list[TableCheck]:
    """Return check jobs and their findings as routes answer them."""
    statement = select(TableCheckRow.job_id, TableCheckRow.body).where(
        TableCheckRow.job_id.in_([job.job_id for job in jobs])
    )
    found = {job_id: from_dict(body, Drift) for job_id, body in session.execute(statement)}
    return [
        TableCheck(resource, job.snapshot or "", found.get(job.job_id))  # a check is of a snapshot
        for job, resource in zip(jobs, job_resources(session, jobs, now), strict=True)
    ]


check_resource = describe_one(check_resources)


def _rescale(session: Session, job: JobRow, drift: Drift, now: datetime) -> Drift:
    table = load_table(session, drift.snapshot)
    of_the_kind = table.device_id, table.space, table.conditions
    with reading_for(session, job):
        newest = newest_snapshot(session, *of_the_kind)
    if newest is None:  # an administrator checks a table that another one keeps private
        newest = newest_snapshot(session, *of_the_kind)
    if newest != drift.snapshot:
        return drift
    lineage = Lineage("rescaled", drift.snapshot, f"level {100 * drift.level:+z.1f} %")
    new_table = rescaled(table, drift.anchor_now_us, now.isoformat())
    return replace(drift, rescaled_to=store_table(session, new_table, now, job.job_id, lineage))
