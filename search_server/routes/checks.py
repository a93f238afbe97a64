"""Checks of latency tables over HTTP."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from search_server.jobs.registry import find_job, list_jobs
from search_server.leases.cancel import cancel_whole_job
from search_server.profiling.checks import check_resource, check_resources, submit_check
from search_server.resources.checks import CheckCreate, TableCheck
from search_server.resources.page import Page
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
from search_server.routes.transaction_route import TransactionRoute

router = APIRouter(responses=ERROR_RESPONSES, tags=["latency tables"], route_class=TransactionRoute)


@router.post("/latency-tables/{snapshot}/checks", status_code=201)
def create_check(
    submission: SubmissionDep,
    snapshot: str,
    session: SessionDep,
    context: ContextDep,
    now: NowDep,
    private: PrivateQuery = False,
) -> TableCheck:
    """Measure the anchor and three networks: does the table still hold in level and structure?"""
    submission = submission.kept_private(private)
    job = submit_check(session, context.store, CheckCreate(snapshot), submission, now)
    return check_resource(session, job, now)


@router.get("/checks")
def get_checks(
    _: UserDep,
    owner: OwnerFilterDep,
    session: SessionDep,
    now: NowDep,
    snapshot: Annotated[str | None, Query(description="only checks of this table")] = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = 50,
) -> Page[TableCheck]:
    """List check jobs, newest first."""
    return list_jobs(session, "check", check_resources, cursor, limit, now, snapshot=snapshot, owner=owner)


@router.get("/checks/{job_id}")
def get_check(_: UserDep, job_id: str, session: SessionDep, now: NowDep) -> TableCheck:
    """Return a check job and what it found."""
    return check_resource(session, find_job(session, job_id, "check"), now)


@router.get("/checks/{job_id}/events", response_class=EventSourceResponse)
async def stream_check(
    job_id: Annotated[str, Depends(JobToWatch("check"))], database: DatabaseDep, context: ContextDep
) -> AsyncIterator[ServerSentEvent]:
    """Send the check as event ``job`` whenever it changes, until it has ended."""
    async for event in job_events(database, job_id, "check", context):
        yield event


@router.post("/checks/{job_id}/cancel")
def cancel_check(caller: UserDep, job_id: str, session: SessionDep, now: NowDep) -> TableCheck:
    """Stop a check."""
    job = find_job(session, job_id, "check")
    caller.require_own(job.owner, f"check {job_id}")
    cancel_whole_job(session, job, now)
    return check_resource(session, job, now)
