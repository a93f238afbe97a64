"""Models of one's own over HTTP: sent in parts, checked, listed, measured, removed."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from search_server.errors import ConflictError
from search_server.jobs.registry import find_job
from search_server.latency.formats.own_parquet import MEDIA_TYPE as PARQUET
from search_server.leases.cancel import cancel_whole_job
from search_server.own_models.parts import part_path, received_bytes, whole_file, write_part
from search_server.own_models.stored_models import (
    add_model,
    check_create,
    checked_facts,
    find_model,
    list_models,
    model_resource,
    remove_model,
    stored_content,
)
from search_server.profiling.node_files import node_file
from search_server.profiling.own_models import (
    find_model_job,
    list_model_measurements,
    model_measurement_resource,
    submit_model_measurement,
)
from search_server.resources.formats import TableFormat
from search_server.resources.model_comparison import ModelComparison, compare_measurements
from search_server.resources.models import (
    Model,
    ModelCreate,
    ModelMeasurement,
    ModelMeasurementCreate,
    ModelUpload,
)
from search_server.resources.page import Page
from search_server.routes.auth import OwnerFilterDep, SubmissionDep, UserDep
from search_server.routes.context import (
    ContextDep,
    CursorQuery,
    DatabaseDep,
    LimitQuery,
    NowDep,
)
from search_server.routes.error_answers import ERROR_RESPONSES
from search_server.routes.events import JobToWatch, job_events
from search_server.routes.sessions import SessionDep
from search_server.routes.tables import raw_body
from search_server.routes.transaction_route import TransactionRoute

router = APIRouter(tags=["models"], responses=ERROR_RESPONSES, route_class=TransactionRoute)


@router.get("/models/uploads/{sha256}")
def get_upload(_: UserDep, sha256: str, session: SessionDep, context: ContextDep) -> ModelUpload:
    """Return how much of a file is there: the next part begins at ``received_bytes``."""
    received = received_bytes(context.data_dir, sha256)
    return ModelUpload(sha256, received, stored_content(session, context.store, sha256) is not None)


@router.put(
    "/models/uploads/{sha256}",
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {}}}},
)
def put_part(
    _: UserDep,
    sha256: str,
    context: ContextDep,
    content: Annotated[bytes, Depends(raw_body)],
    offset: Annotated[int, Query(ge=0, description="where in the file this part begins")] = 0,
) -> ModelUpload:
    """Take in a part of a file that is named by the SHA-256 of all its bytes."""
    return ModelUpload(sha256, write_part(context.data_dir, sha256, offset, content))


@router.post("/models", status_code=201)
def create_model(
    caller: UserDep, create: ModelCreate, database: DatabaseDep, context: ContextDep, now: NowDep
) -> Model:
    """Check a file whose parts have all been sent, without running it, and keep it under a name."""
    check_create(create)
    path = part_path(context.data_dir, create.sha256)
    with database.reading() as session:
        content = stored_content(session, context.store, create.sha256)
    if content is None:
        content = whole_file(context.data_dir, create.sha256, create.size_bytes)
    facts = checked_facts(create.format, content)
    with database.transaction() as session:
        model = add_model(session, context.store, create, content, facts, now, caller.owner)
    path.unlink(missing_ok=True)
    return model


@router.get("/models")
def get_models(
    _: UserDep,
    owner: OwnerFilterDep,
    session: SessionDep,
    cursor: CursorQuery = None,
    limit: LimitQuery = 50,
) -> Page[Model]:
    """List models, newest first."""
    return list_models(session, cursor, limit, owner)


@router.get("/models/compare")
def get_comparison(
    _: UserDep,
    a: Annotated[str, Query(description="job of a measurement of a model")],
    b: Annotated[str, Query(description="job of another one, of whatever model or device")],
    session: SessionDep,
    now: NowDep,
) -> ModelComparison:
    """Return two measurements side by side: two models on a device, or one model on two devices."""
    both = [
        model_measurement_resource(session, find_job(session, job_id, "model"), now) for job_id in (a, b)
    ]
    try:
        return compare_measurements(*both)
    except ValueError as error:
        raise ConflictError("no_latency", str(error)) from error


@router.get("/models/{model}")
def get_model(_: UserDep, model: str, session: SessionDep) -> Model:
    """Return one model, by name, id or SHA-256."""
    return model_resource(session, find_model(session, model))


@router.delete("/models/{model}", status_code=204)
def delete_model(
    caller: UserDep, model: str, session: SessionDep, context: ContextDep, now: NowDep
) -> None:
    """Take a model off the list, and its file from the disk; its measurements stay."""
    row = find_model(session, model)
    caller.require_own(row.owner, f"model {row.name}")
    remove_model(session, context.store, row, now)


@router.post("/models/{model}/measurements", status_code=201)
def create_model_measurement(
    submission: SubmissionDep,
    model: str,
    create: ModelMeasurementCreate,
    session: SessionDep,
    context: ContextDep,
    now: NowDep,
) -> ModelMeasurement:
    """Measure a model on a device: the whole against an anchor, and each node."""
    row, submission = find_model(session, model), submission.kept_private(create.private)
    job = submit_model_measurement(session, context.store, row, create, submission, now)
    return model_measurement_resource(session, job, now)


@router.get("/models/{model}/measurements")
def get_model_measurements(
    _: UserDep,
    model: str,
    session: SessionDep,
    now: NowDep,
    cursor: CursorQuery = None,
    limit: LimitQuery = 50,
) -> Page[ModelMeasurement]:
    """List the measurements of a model, newest first, without their nodes."""
    return list_model_measurements(session, find_model(session, model).model_id, cursor, limit, now)


@router.get("/models/{model}/measurements/{job_id}")
def get_model_measurement(
    _: UserDep, model: str, job_id: str, session: SessionDep, now: NowDep
) -> ModelMeasurement:
    """Return a measurement of a model with all of its nodes."""
    return model_measurement_resource(session, find_model_job(session, model, job_id), now)


@router.get(
    "/models/{model}/measurements/{job_id}/export",
    response_class=Response,
    responses={200: {"content": {PARQUET: {}, "text/csv": {}}, "description": "a row for each node"}},
)
def export_model_measurement(
    _: UserDep,
    model: str,
    job_id: str,
    session: SessionDep,
    now: NowDep,
    file_format: Annotated[TableFormat, Query(alias="format")] = "csv",
) -> Response:
    """Return the nodes of a measured model as a file."""
    measured = model_measurement_resource(session, find_model_job(session, model, job_id), now)
    media_types = {"csv": "text/csv; charset=utf-8", "parquet": PARQUET, "json": "application/json"}
    headers = {
        "Content-Disposition": f'attachment; filename="{job_id}-nodes.{file_format}"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(node_file(measured, file_format), media_type=media_types[file_format], headers=headers)


@router.get("/models/{model}/measurements/{job_id}/events", response_class=EventSourceResponse)
async def stream_model_measurement(
    model: str,  # noqa: ARG001 - the job's id tells which
    job_id: Annotated[str, Depends(JobToWatch("model"))],
    database: DatabaseDep,
    context: ContextDep,
) -> AsyncIterator[ServerSentEvent]:
    """Send the measurement as event ``job`` whenever it changes, until it has ended."""
    async for event in job_events(database, job_id, "model", context):
        yield event


@router.post("/models/{model}/measurements/{job_id}/cancel")
def cancel_model_measurement(
    caller: UserDep, model: str, job_id: str, session: SessionDep, now: NowDep
) -> ModelMeasurement:
    """Stop measuring."""
    job = find_model_job(session, model, job_id)
    caller.require_own(job.owner, f"measurement {job_id}")
    cancel_whole_job(session, job, now)
    return model_measurement_resource(session, job, now)
