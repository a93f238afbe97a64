"""Jobs that measure models that people brought: queued, stored, listed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import ArtifactRow, DeviceRow, JobRow, ModelLatencyRow, ModelRow
from search_server.db.paging import fetch_page
from search_server.devices.registry import device_facts, find_device
from search_server.devices.support import require_support
from search_server.errors import ConflictError, InvalidValueError, NotFoundError, refusing_values
from search_server.jobs.registry import (
    Submission,
    create_job,
    describe_one,
    earlier_job,
    find_job,
    job_resources,
)
from search_server.leases.leases import create_lease
from search_server.own_models.input_shapes import input_shapes
from search_server.own_models.stored_models import find_model, model_names, model_resource
from search_server.profiling.conclude_model import MODEL_ID
from search_server.profiling.plan import ANCHOR_ID, ItemFactory, policy
from search_server.resources.models import Model, ModelLatency, ModelMeasurement, ModelMeasurementCreate
from search_server.resources.page import Page
from search_server.store import Store
from shared.architecture import anchor_architecture
from shared.protocol.device import Conditions
from shared.protocol.measurement import OWN_FILES_PROTOCOL, Artifact, LeaseItem, ModelInput
from shared.protocol.wire import from_dict, to_dict
from shared.runtimes import RUNTIMES
from shared.search_space import search_space

ANCHOR_SPACE = "fbnet-96-035"
"""Its anchor, a network of a millisecond or so, is the yardstick of models that belong to no space."""
MODEL_LEASES = 3
"""Each in a process of its own: where a model lies in memory shifts its latency by a percent or two."""


def submit_model_measurement(
    session: Session,
    store: Store,
    row: ModelRow,
    create: ModelMeasurementCreate,
    submission: Submission,
    now: datetime,
) -> JobRow:
    """Queue the leases that measure a model against the anchor."""
    model = model_resource(session, row)
    request = {"model_id": row.model_id, **to_dict(create)}
    earlier = earlier_job(session, submission, "model", request)
    if earlier is not None:
        return earlier
    device = find_device(session, create.device)
    require_model_support(device, model, create.conditions)
    item = model_item(session, model, MODEL_ID, create.inputs, create.conditions)
    space = search_space(ANCHOR_SPACE)
    job = create_job(session, submission, "model", device, space.name, create.conditions, request, now)
    factory = ItemFactory(session, store, create.conditions, now)
    items = (factory.item(ANCHOR_ID, anchor_architecture(space)), item)
    job.num_windows = MODEL_LEASES
    for index in range(MODEL_LEASES):
        how_long = policy(index, create.conditions, is_first=index == 0, accept_noise=create.accept_noise)
        create_lease(session, job, items, how_long, now)
    return job


def require_model_support(device: DeviceRow, model: Model, conditions: Conditions) -> None:
    """Accept a device and conditions under which a model can be measured.

    Raises:
        ConflictError: the device's agent is older than this kind of measurement.
        InvalidValueError: the runtime does not run the file, or the file has another dtype.
    """
    runtime = RUNTIMES.get(conditions.runtime)
    if runtime is None or not runtime.runs_own_files or runtime.model_format != model.format:
        able = [r.name for r in RUNTIMES.values() if r.runs_own_files and r.model_format == model.format]
        raise InvalidValueError(
            "unsupported_runtime",
            f"model {model.name!r} is an {model.format} file, which {', '.join(able)} runs; asked for "
            f"runtime {conditions.runtime!r}",
        )
    if conditions.dtype != model.facts.dtype:
        raise InvalidValueError(
            "unsupported_dtype",
            f"model {model.name!r} computes in {model.facts.dtype}, as its file says; asked for dtype "
            f"{conditions.dtype!r}. A file is measured as it is",
        )
    require_support(device, conditions)
    if device_facts(device).protocol_max < OWN_FILES_PROTOCOL:
        raise ConflictError(
            "agent_too_old",
            f"the agent of device {device.name!r} runs no model files of one's own; type the line that "
            "'edgenas devices add' shows on the device, which upgrades it",
        )


def model_item(
    session: Session,
    model: Model,
    item_id: str,
    inputs: tuple[ModelInput, ...],
    conditions: Conditions,
    *,
    is_anchor: bool = False,
    is_profiled: bool = True,
) -> LeaseItem:
    """Return the lease item that measures a model; nodes are profiled where the runtime can.

    Raises:
        InvalidValueError: a shape is asked for that the model's inputs cannot have.
    """
    with refusing_values("body.inputs"):
        shapes = input_shapes(model.facts.inputs, inputs, conditions.batch)
    artifact = session.get_one(ArtifactRow, model.sha256)
    return LeaseItem(
        item_id,
        None,
        Artifact(artifact.sha256, artifact.size_bytes, artifact.format),
        is_anchor=is_anchor,
        profile_segments=is_profiled and model.format == "onnx",
        inputs=shapes,
    )


def store_model_latency(session: Session, job: JobRow, latency: ModelLatency) -> None:
    """Keep what a job found about a model."""
    session.add(
        ModelLatencyRow(
            job_id=job.job_id,
            model_id=job.request["model_id"],
            device_id=job.device_id,
            conditions_key=job.conditions_key,
            latency_us=latency.latency_us,
            low_us=latency.low_us,
            high_us=latency.high_us,
            anchor_us=latency.anchor_us,
            profiled_us=latency.profiled_us,
            body=to_dict(latency),
        )
    )


def model_measurement_resources(
    session: Session, jobs: Sequence[JobRow], now: datetime
) -> list[ModelMeasurement]:
    """Return models' measurements with all nodes, as routes answer them."""
    names = model_names(session, {job.request["model_id"] for job in jobs})
    statement = select(ModelLatencyRow.job_id, ModelLatencyRow.body).where(
        ModelLatencyRow.job_id.in_([job.job_id for job in jobs])
    )
    found = {job_id: from_dict(body, ModelLatency) for job_id, body in session.execute(statement)}
    return [
        ModelMeasurement(resource, model_id, names[model_id], found.get(job.job_id))
        for job, resource in zip(jobs, job_resources(session, jobs, now), strict=True)
        for model_id in (job.request["model_id"],)
    ]


model_measurement_resource = describe_one(model_measurement_resources)


def list_model_measurements(
    session: Session, model_id: str, cursor: str | None, limit: int, now: datetime
) -> Page[ModelMeasurement]:
    """Return the measurements of a model without their nodes, newest first."""
    of_model = JobRow.request["model_id"].as_string() == model_id
    statement = select(JobRow).where(JobRow.kind == "model", of_model)
    rows, next_cursor = fetch_page(session, statement, JobRow.job_id, cursor, limit)
    whole = model_measurement_resources(session, rows, now)
    brief = (
        replace(each, latency=each.latency.without_nodes() if each.latency else None) for each in whole
    )
    return Page(tuple(brief), next_cursor)


def find_model_job(session: Session, model: str, job_id: str) -> JobRow:
    """Return a measurement of a model.

    Raises:
        NotFoundError: no such model, or no such measurement of it.
    """
    job = find_job(session, job_id, "model")
    if job.request["model_id"] != find_model(session, model).model_id:
        raise NotFoundError("unknown_model", f"job {job_id} measured another model than {model!r}")
    return job
