"""Gates over HTTP: is a new model slower than an old one?"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent

from search_server.jobs.registry import find_job, list_jobs
from search_server.leases.cancel import cancel_whole_job
from search_server.profiling.gates import gate_resource, gate_resources, submit_gate
from search_server.resources.gates import Gate, GateCreate
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
from search_server.routes.transaction_route import TransactionRoute

router = APIRouter(tags=["gates"], responses=ERROR_RESPONSES, route_class=TransactionRoute)


@router.post("/gates", status_code=201)
def create_gate(submission: SubmissionDep, create: GateCreate, session: SessionDep, now: NowDep) -> Gate:
    """Compare two models on a device until it is clear whether the new one is slower."""
    job = submit_gate(session, create, submission.kept_private(create.private), now)
    return gate_resource(session, job, now)


@router.get("/gates")
def get_gates(
    _: UserDep,
    owner: OwnerFilterDep,
    session: SessionDep,
    now: NowDep,
    cursor: CursorQuery = None,
    limit: LimitQuery = 50,
) -> Page[Gate]:
    """List gates, newest first."""
    return list_jobs(session, "gate", gate_resources, cursor, limit, now, owner=owner)


@router.get("/gates/{job_id}")
def get_gate(_: UserDep, job_id: str, session: SessionDep, now: NowDep) -> Gate:
    """Return a gate and its verdict."""
    return gate_resource(session, find_job(session, job_id, "gate"), now)


@router.get("/gates/{job_id}/events", response_class=EventSourceResponse)
async def stream_gate(
    job_id: Annotated[str, Depends(JobToWatch("gate"))], database: DatabaseDep, context: ContextDep
) -> AsyncIterator[ServerSentEvent]:
    """Send the gate as event ``job`` whenever it changes, until it has ended."""
    async for event in job_events(database, job_id, "gate", context):
        yield event


@router.post("/gates/{job_id}/cancel")
def cancel_gate(caller: UserDep, job_id: str, session: SessionDep, now: NowDep) -> Gate:
    """Stop measuring."""
    job = find_job(session, job_id, "gate")
    caller.require_own(job.owner, f"gate {job_id}")
    cancel_whole_job(session, job, now)
    return gate_resource(session, job, now)
