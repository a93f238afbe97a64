"""Searches and data sets over HTTP."""

from collections.abc import AsyncIterator
from pathlib import PurePosixPath
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from search_server.errors import ConflictError, InvalidValueError
from search_server.jobs.registry import find_job, list_jobs
from search_server.leases.cancel import cancel_whole_job
from search_server.resources.formats import ExportFormat
from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.fronts import FrontCreate, RetargetCreate
from search_server.resources.page import Page
from search_server.resources.searches import (
    DataSet,
    Search,
    SearchCreate,
    SearchCurves,
    SearchDryRun,
    SearchStep,
)
from search_server.routes.auth import OwnerFilterDep, SubmissionDep, UserDep
from search_server.routes.context import (
    ContextDep,
    CursorQuery,
    DatabaseDep,
    LimitQuery,
    NowDep,
)
from search_server.routes.error_answers import ERROR_RESPONSES
from search_server.routes.events import JobToWatch, search_events
from search_server.routes.sessions import SessionDep
from search_server.routes.stored_file import stored_file
from search_server.routes.transaction_route import TransactionRoute
from search_server.search_options import DeliverName
from search_server.searches.curves import search_curves
from search_server.searches.data_check import DATA_SETS
from search_server.searches.decoding_again import submit_front, submit_retarget
from search_server.searches.searches import (
    export_name,
    find_request,
    hub_export,
    list_steps,
    resume_search,
    search_architectures,
    search_resource,
    search_resources,
    submit_search,
    try_search,
)
from shared.protocol.plain_json import MAX_INTEGER
from shared.protocol.wire import to_json

router = APIRouter(tags=["searches"], responses=ERROR_RESPONSES, route_class=TransactionRoute)


@router.post("/searches", status_code=201)
def create_search(
    submission: SubmissionDep,
    create: SearchCreate,
    session: SessionDep,
    now: NowDep,
) -> Search:
    """Search a space for networks within a latency on a device."""
    return search_resource(session, submit_search(session, create, submission, now), now)


@router.post("/searches/dry-run")
def dry_run_search(submission: SubmissionDep, create: SearchCreate, session: SessionDep) -> SearchDryRun:
    """Check a search as if it was submitted, and return what it would do; nothing is queued."""
    return try_search(session, create, submission)


@router.post("/searches/{job_id}/front", status_code=201)
def create_front(
    submission: SubmissionDep, job_id: str, create: FrontCreate, session: SessionDep, now: NowDep
) -> Search:
    """Decode networks over a range of targets, on each device that has a table, from a finished search."""
    return search_resource(session, submit_front(session, job_id, create, submission, now), now)


@router.post("/searches/{job_id}/retarget", status_code=201)
def create_retarget(
    submission: SubmissionDep, job_id: str, create: RetargetCreate, session: SessionDep, now: NowDep
) -> Search:
    """Decode one network for another target or device from a finished search."""
    return search_resource(session, submit_retarget(session, job_id, create, submission, now), now)


@router.get("/searches")
def get_searches(
    _: UserDep,
    owner: OwnerFilterDep,
    session: SessionDep,
    now: NowDep,
    cursor: CursorQuery = None,
    limit: LimitQuery = 50,
) -> Page[Search]:
    """List searches, newest first."""
    return list_jobs(session, "search", search_resources, cursor, limit, now, owner=owner)


@router.get("/searches/{job_id}")
def get_search(_: UserDep, job_id: str, session: SessionDep, now: NowDep) -> Search:
    """Return a search: what was asked, how far it is, what was found."""
    return search_resource(session, find_job(session, job_id, "search"), now)


@router.get("/searches/{job_id}/steps")
def get_steps(
    _: UserDep, job_id: str, session: SessionDep, cursor: CursorQuery = None, limit: LimitQuery = 200
) -> Page[SearchStep]:
    """List the recorded steps of a search, in order."""
    return list_steps(session, find_job(session, job_id, "search").job_id, cursor, limit)


@router.get("/searches/{job_id}/curves")
def get_curves(
    _: UserDep,
    job_id: str,
    session: SessionDep,
    points: Annotated[int, Query(ge=12, le=10_000, description="most steps to answer")] = 600,
) -> SearchCurves:
    """Return the losses, accuracy, latency and entropy over a search, thinned for a chart."""
    return search_curves(session, find_job(session, job_id, "search").job_id, points)


@router.get("/searches/{job_id}/architectures")
def get_architectures(_: UserDep, job_id: str, session: SessionDep) -> tuple[FoundArchitecture, ...]:
    """Return the networks that a search compared."""
    return search_architectures(session, find_job(session, job_id, "search").job_id)


@router.get("/searches/{job_id}/events", response_class=EventSourceResponse)
async def stream_search(
    job_id: Annotated[str, Depends(JobToWatch("search"))],
    database: DatabaseDep,
    context: ContextDep,
    last_event_id: Annotated[int, Header(alias="Last-Event-ID", ge=-1, le=MAX_INTEGER)] = -1,
    after: Annotated[int, Query(ge=-1, le=MAX_INTEGER, description="send the steps behind this one")] = -1,
) -> AsyncIterator[ServerSentEvent]:
    """Send events ``step``, ``architecture`` and ``search`` until the search has ended.

    The id of an event is the number of the last step sent; ``Last-Event-ID`` goes on behind it, as does
    ``after``, which a browser can give to its first request.
    """
    async for event in search_events(database, job_id, context, max(last_event_id, after)):
        yield event


@router.get("/searches/{job_id}/export", response_class=FileResponse)
def export_search(
    _: UserDep,
    job_id: str,
    session: SessionDep,
    context: ContextDep,
    now: NowDep,
    export_format: Annotated[ExportFormat, Query(alias="format")] = "onnx",
    dtype: Annotated[DeliverName, Query(description="int8: the quantised ONNX file")] = "fp32",
) -> Response:
    """Return the delivered network, trained, in a format, or the search itself as JSON.

    ncnn: a zip archive. torch: the weights. python: the file that rebuilds the network around them. hub: a
    zip archive with all of them and a model card, laid out as a repository of the Hugging Face hub.
    """
    job = find_job(session, job_id, "search")
    if export_format == "json":
        headers = {"Content-Disposition": f'attachment; filename="{job.job_id}.json"'}
        text = to_json(search_resource(session, job, now))
        return Response(text, media_type="application/json", headers=headers)
    if dtype != "fp32" and export_format != "onnx":
        raise InvalidValueError(
            "invalid_value", f"dtype {dtype} is there as format onnx only, not {export_format}"
        )
    repository = hub_export(context.store, job) if export_format == "hub" else None
    if repository is not None:
        headers = {"Content-Disposition": f'attachment; filename="{job.job_id}.hub.zip"'}
        return Response(repository, media_type="application/zip", headers=headers)
    name = export_name(job.job_id, "onnx" if export_format == "hub" else export_format, dtype)
    if export_format == "hub" or not context.store.has(name):
        way_out = "it is written at the end"
        if dtype == "int8":
            way_out = "submit the search with deliver int8"
        elif job.status == "done":
            way_out = "it ended before such files were written; submit it again"
            if find_request(job).train_epochs == 0:
                way_out = "its networks were not trained; submit it again with train_epochs above 0"
        raise ConflictError(
            "nothing_to_export",
            f"search {job.job_id} is {job.status} and has no {dtype} {export_format} file; {way_out}",
        )
    suffix = PurePosixPath(name).suffix
    disposition = {"Content-Disposition": f'attachment; filename="{job.job_id}{suffix}"'}
    return stored_file(context.store, name, disposition)


@router.post("/searches/{job_id}/cancel")
def cancel_search(caller: UserDep, job_id: str, session: SessionDep, now: NowDep) -> Search:
    """Stop a search and the measurements that it asked for."""
    job = find_job(session, job_id, "search")
    caller.require_own(job.owner, f"search {job_id}")
    cancel_whole_job(session, job, now)
    return search_resource(session, job, now)


@router.post("/searches/{job_id}/resume")
def resume(caller: UserDep, job_id: str, session: SessionDep, now: NowDep) -> Search:
    """Queue a failed or cancelled search again; it goes on from its last checkpoint."""
    job = find_job(session, job_id, "search")
    caller.require_own(job.owner, f"search {job_id}")
    resume_search(job)
    return search_resource(session, job, now)


@router.get("/data", tags=["data"])
def get_data_sets(_: UserDep) -> tuple[DataSet, ...]:
    """List the data sets that a search can name."""
    return DATA_SETS
