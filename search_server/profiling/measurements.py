"""Measurement jobs: whole networks on a device, against the anchor of their space."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import ArtifactRow, JobRow, MeasuredLatencyRow
from search_server.devices.operators import require_operators
from search_server.devices.registry import find_device
from search_server.devices.support import require_support
from search_server.errors import InvalidValueError, refusing_values
from search_server.jobs.registry import (
    ENDED,
    Submission,
    by_job,
    create_job,
    describe_one,
    earlier_job,
    find_job,
    job_resources,
)
from search_server.leases.leases import create_lease
from search_server.profiling.plan import MEASUREMENT_LEASES, ItemFactory, measurement_groups, policy
from search_server.resources.latencies import MeasuredLatency, Measurement, MeasurementCreate
from search_server.store import Store
from shared.architecture import Architecture, parse_architecture
from shared.protocol.device import Conditions
from shared.protocol.measurement import Artifact
from shared.protocol.wire import FieldError, from_dict, to_dict
from shared.search_space import search_space

MAX_NETWORKS = 120
"""Most networks of one job."""


def request_measurement(
    session: Session,
    store: Store,
    device_id: str,
    space: str,
    architectures: Sequence[str],
    conditions: Conditions,
    parent_job_id: str | None,
    now: datetime,
    file: str | None = None,
    accept_noise: bool = False,
) -> str:
    """Queue the measuring of whole networks for another job and return the new job's id."""
    create = MeasurementCreate(device_id, space, tuple(architectures), conditions, file, accept_noise)
    submission = Submission(caller=None, parent_job_id=parent_job_id)
    return submit_measurement(session, store, create, submission, now).job_id


def submit_measurement(
    session: Session, store: Store, create: MeasurementCreate, submission: Submission, now: datetime
) -> JobRow:
    """Queue the leases that measure whole networks."""
    earlier = earlier_job(session, submission, "measurement", create)
    if earlier is not None:
        return earlier
    device = find_device(session, create.device)
    with refusing_values("body.space"):
        space = search_space(create.space)
    if not 1 <= len(create.architectures) <= MAX_NETWORKS:
        raise InvalidValueError(
            "invalid_value",
            f"architectures must be 1 to {MAX_NETWORKS} networks, got {len(create.architectures)}; "
            "split them over several jobs",
        )
    architectures = requested_architectures(create)
    require_support(device, create.conditions)
    require_operators(device, space)
    file = _requested_file(session, create)
    job = create_job(
        session, submission, "measurement", device, space.name, create.conditions, create, now, create.name
    )
    groups = measurement_groups(
        space, architectures, ItemFactory(session, store, create.conditions, now), file
    )
    job.num_windows = MEASUREMENT_LEASES * len(groups)
    for repeat in range(MEASUREMENT_LEASES):
        for group_index, items in enumerate(groups):
            is_first = repeat == group_index == 0
            how_long = policy(
                repeat, create.conditions, is_first=is_first, accept_noise=create.accept_noise
            )
            create_lease(session, job, items, how_long, now, group_index)
    return job


def _requested_file(session: Session, create: MeasurementCreate) -> Artifact | None:
    """Return the model file that is to be measured, if one was named.

    Raises:
        InvalidValueError: there is no such file, or not exactly one network was named.
    """
    if create.file is None:
        return None
    row = session.get(ArtifactRow, create.file)
    if row is None or len(create.architectures) != 1:
        message = (
            f"file {create.file!r} must be the SHA-256 of a stored model file and stand for one network; "
            f"there is {'no' if row is None else 'such a'} file, and {len(create.architectures)} networks "
            "are named"
        )
        raise InvalidValueError("invalid_value", message, (FieldError("body.file", message),))
    return Artifact(row.sha256, row.size_bytes, row.format)


def requested_architectures(create: MeasurementCreate) -> tuple[Architecture, ...]:
    """Return the networks of a request, in its order.

    Raises:
        InvalidValueError: a text names no architecture of the space.
    """
    with refusing_values("body.architectures"):
        space = search_space(create.space)
        return tuple(parse_architecture(text, space) for text in create.architectures)


def store_latencies(
    session: Session, job: JobRow, latencies: Sequence[MeasuredLatency], snapshot: str | None
) -> None:
    """Keep what a measurement job found, at the level of a table or, with None, at its own."""
    for latency in latencies:
        session.add(
            MeasuredLatencyRow(
                job_id=job.job_id,
                device_id=job.device_id,
                space=job.space,
                conditions_key=job.conditions_key,
                snapshot=snapshot,
                body=to_dict(latency),
            )
        )


def measured_latencies(session: Session, job_id: str) -> tuple[MeasuredLatency, ...] | None:
    """Return what a measurement job found, or None while it goes on; empty if it failed."""
    job = find_job(session, job_id, "measurement")
    return _stored(session, (job,)).get(job_id, ()) if job.status in ENDED else None


def measured_file(session: Session, parent_job_id: str, file: str, device_id: str) -> float | None:
    """Return the latency, us, of a model file that another job has had measured on a device, or None."""
    statement = (
        select(MeasuredLatencyRow.body)
        .join(JobRow, JobRow.job_id == MeasuredLatencyRow.job_id)
        .where(JobRow.parent_job_id == parent_job_id, MeasuredLatencyRow.device_id == device_id)
    )
    bodies = (from_dict(body, MeasuredLatency) for body in session.scalars(statement))
    return next((body.latency_us for body in bodies if body.file == file), None)


def measurement_resources(session: Session, jobs: Sequence[JobRow], now: datetime) -> list[Measurement]:
    """Return measurement jobs and their latencies as routes answer them."""
    stored = _stored(session, jobs)
    return [
        Measurement(resource, stored.get(resource.job_id, ()))
        for resource in job_resources(session, jobs, now)
    ]


measurement_resource = describe_one(measurement_resources)


def _stored(session: Session, jobs: Sequence[JobRow]) -> dict[str, tuple[MeasuredLatency, ...]]:
    """Return by job id what was found."""
    statement = (
        select(MeasuredLatencyRow.job_id, MeasuredLatencyRow.body)
        .where(MeasuredLatencyRow.job_id.in_([job.job_id for job in jobs]))
        .order_by(MeasuredLatencyRow.measured_id)
    )
    return by_job(session, statement, MeasuredLatency)
