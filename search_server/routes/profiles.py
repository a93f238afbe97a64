"""Profiles and measurements over HTTP."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from search_server.devices.registry import find_device
from search_server.errors import refusing_values
from search_server.jobs.registry import find_job, list_jobs
from search_server.leases.cancel import cancel_whole_job
from search_server.profiling.measured_imports import import_measurements
from search_server.profiling.measurements import (
    measurement_resource,
    measurement_resources,
    submit_measurement,
)
from search_server.profiling.profiles import profile_resource, profile_resources, request_profile
from search_server.resources.latencies import Measurement, MeasurementCreate
from search_server.resources.page import Page
from search_server.resources.tables import Profile, ProfileCreate
from search_server.routes.auth import OwnerFilterDep, PrivateQuery, SubmissionDep, UserDep
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
from search_server.routes.tables import raw_body, told_conditions
from search_server.routes.transaction_route import TransactionRoute
from shared.protocol.device import Conditions
from shared.search_space import search_space

router = APIRouter(responses=ERROR_RESPONSES, route_class=TransactionRoute)

DeviceFilter = Annotated[str | None, Query(description="id or name")]
SpaceFilter = Annotated[str | None, Query(description="such as fbnet-224")]


@router.post("/profiles", tags=["profiles"], status_code=201)
def create_profile(
    submission: SubmissionDep,
    create: ProfileCreate,
    session: SessionDep,
    context: ContextDep,
    now: NowDep,
) -> Profile:
    """Measure what the latency table of a space lacks on a device."""
    job = request_profile(session, context.store, create, submission.kept_private(create.private), now)
    return profile_resource(session, job, now)


@router.get("/profiles", tags=["profiles"])
def get_profiles(
    _: UserDep,
    owner: OwnerFilterDep,
    session: SessionDep,
    now: NowDep,
    device: DeviceFilter = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = 50,
) -> Page[Profile]:
    """List profile jobs, newest first."""
    device_id = find_device(session, device).device_id if device else None
    return list_jobs(
        session, "profile", profile_resources, cursor, limit, now, device_id=device_id, owner=owner
    )


@router.get("/profiles/{job_id}", tags=["profiles"])
def get_profile(_: UserDep, job_id: str, session: SessionDep, now: NowDep) -> Profile:
    """Return a profile job and the table that came of it."""
    return profile_resource(session, find_job(session, job_id, "profile"), now)


@router.get("/profiles/{job_id}/events", tags=["profiles"], response_class=EventSourceResponse)
async def stream_profile(
    job_id: Annotated[str, Depends(JobToWatch("profile"))], database: DatabaseDep, context: ContextDep
) -> AsyncIterator[ServerSentEvent]:
    """Send the profile as event ``job`` whenever it changes, until it has ended."""
    async for event in job_events(database, job_id, "profile", context):
        yield event


@router.post("/profiles/{job_id}/cancel", tags=["profiles"])
def cancel_profile(caller: UserDep, job_id: str, session: SessionDep, now: NowDep) -> Profile:
    """Stop measuring; what was measured stays."""
    job = find_job(session, job_id, "profile")
    caller.require_own(job.owner, f"profile {job_id}")
    cancel_whole_job(session, job, now)
    return profile_resource(session, job, now)


@router.post("/measurements", tags=["measurements"], status_code=201)
def create_measurement(
    submission: SubmissionDep,
    create: MeasurementCreate,
    session: SessionDep,
    context: ContextDep,
    now: NowDep,
) -> Measurement:
    """Measure whole networks on a device, against the anchor of their space."""
    job = submit_measurement(session, context.store, create, submission.kept_private(create.private), now)
    return measurement_resource(session, job, now)


@router.post(
    "/measurements/import",
    tags=["measurements"],
    status_code=201,
    openapi_extra={"requestBody": {"required": True, "content": {"text/csv": {}}}},
)
def post_measurements_import(
    caller: UserDep,
    session: SessionDep,
    now: NowDep,
    content: Annotated[bytes, Depends(raw_body)],
    device: Annotated[str, Query(description="id or name; a new name adds a device without an agent")],
    space: Annotated[str, Query(description="such as fbnet-224")],
    conditions: Annotated[Conditions | None, Depends(told_conditions)],
    private: PrivateQuery = False,
) -> Measurement:
    """Store whole networks that another program measured: CSV of architecture, latency_ms and device."""
    job = import_measurements(session, caller, content, device, space, now, conditions, is_private=private)
    return measurement_resource(session, job, now)


@router.get("/measurements", tags=["measurements"])
def get_measurements(
    _: UserDep,
    owner: OwnerFilterDep,
    session: SessionDep,
    now: NowDep,
    device: DeviceFilter = None,
    space: SpaceFilter = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = 50,
) -> Page[Measurement]:
    """List measurement jobs, newest first."""
    device_id = find_device(session, device).device_id if device else None
    with refusing_values("query.space"):
        name = search_space(space).name if space else None
    filters = {"device_id": device_id, "space": name}
    return list_jobs(
        session, "measurement", measurement_resources, cursor, limit, now, owner=owner, **filters
    )


@router.get("/measurements/{job_id}", tags=["measurements"])
def get_measurement(_: UserDep, job_id: str, session: SessionDep, now: NowDep) -> Measurement:
    """Return a measurement job and its latencies."""
    return measurement_resource(session, find_job(session, job_id, "measurement"), now)


@router.get("/measurements/{job_id}/events", tags=["measurements"], response_class=EventSourceResponse)
async def stream_measurement(
    job_id: Annotated[str, Depends(JobToWatch("measurement"))], database: DatabaseDep, context: ContextDep
) -> AsyncIterator[ServerSentEvent]:
    """Send the measurement as event ``job`` whenever it changes, until it has ended."""
    async for event in job_events(database, job_id, "measurement", context):
        yield event


@router.post("/measurements/{job_id}/cancel", tags=["measurements"])
def cancel_measurement(caller: UserDep, job_id: str, session: SessionDep, now: NowDep) -> Measurement:
    """Stop measuring."""
    job = find_job(session, job_id, "measurement")
    caller.require_own(job.owner, f"measurement {job_id}")
    cancel_whole_job(session, job, now)
    return measurement_resource(session, job, now)
