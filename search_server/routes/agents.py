"""What an agent that dials out calls: fetch a lease and its model files, send results, heartbeat."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Body, Query, Request, Response
from fastapi.responses import FileResponse
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from search_server.db.models import DeviceRow
from search_server.db.session import Database
from search_server.devices.errands import has_errand, is_rotation_due, note_upgrade_failure
from search_server.devices.registry import renew_facts, touch
from search_server.errors import TooManyRequestsError, UpgradeRequiredError
from search_server.install.agent_wheel import own_wheel
from search_server.leases.artifacts import find_artifact
from search_server.leases.ingest import ingest_results
from search_server.leases.leases import HEARTBEAT_S, claim_lease, give_back_lease, renew_lease
from search_server.profiling.advance import advance_after_answer
from search_server.routes.admission import leave_place
from search_server.routes.auth import CallingDeviceDep, DeviceDep, ReaderDep
from search_server.routes.context import ContextDep, DatabaseDep, NowDep
from search_server.routes.error_answers import ERROR_RESPONSES
from search_server.routes.sessions import SessionDep
from search_server.routes.stored_file import stored_file
from search_server.routes.transaction_route import TransactionRoute
from search_server.tokens import Caller
from shared.protocol.measurement import (
    PROTOCOL_MAX,
    PROTOCOL_MIN,
    Heartbeat,
    HeartbeatReply,
    Lease,
    LeaseRequest,
    Result,
    ResultReceipt,
)

MAX_WAIT_S = 50.0
MAX_POLLS = 4
"""Polls of one device that may wait at the same time."""

router = APIRouter(tags=["agent"], responses=ERROR_RESPONSES, route_class=TransactionRoute)


@router.post("/agent/lease", response_model=Lease, responses={204: {"description": "no work in this time"}})
async def fetch_lease(
    device_id: CallingDeviceDep,
    request: LeaseRequest,
    http_request: Request,
    database: DatabaseDep,
    context: ContextDep,
    wait: Annotated[float, Query(ge=0, le=MAX_WAIT_S, description="seconds to wait for work")] = 0.0,
) -> Lease | Response:
    """Hand out work for the calling device, waiting for some if there is none; 204 when none came."""
    _check_protocol(request)
    if context.bell.num_listeners(device_id) >= MAX_POLLS:
        raise TooManyRequestsError(
            "too_many_polls", f"{MAX_POLLS} polls of this device wait already; is its agent running twice?"
        )
    until_s = time.monotonic() + wait
    with context.bell.listen(device_id) as listener:
        # An agent that hung up must not be handed a lease that nobody will work on.
        while not context.stopping.is_set() and not await http_request.is_disconnected():
            lease, is_over = await run_in_threadpool(_claim, database, device_id, request, context.now())
            remaining_s = until_s - time.monotonic()
            if lease is not None:
                return lease
            if is_over or remaining_s <= 0:
                break
            leave_place(http_request)
            if not await listener.wait(remaining_s):
                break
    return Response(status_code=204)


@router.post("/agent/leases/{lease_id}/results")
def post_result(
    device_id: CallingDeviceDep,
    lease_id: str,
    result: Result,
    session: SessionDep,
    database: DatabaseDep,
    context: ContextDep,
    now: NowDep,
    tasks: BackgroundTasks,
) -> ResultReceipt:
    """Take the result of one item; sending it again changes nothing."""
    (receipt,), job_id = _take(session, device_id, lease_id, (result,), now)
    if job_id is not None:
        tasks.add_task(advance_after_answer, database, context.store, job_id, context.now)
    return receipt


@router.post("/agent/leases/{lease_id}/results/batch")
def post_results(
    device_id: CallingDeviceDep,
    lease_id: str,
    results: Annotated[tuple[Result, ...], Body(min_length=1)],
    session: SessionDep,
    database: DatabaseDep,
    context: ContextDep,
    now: NowDep,
    tasks: BackgroundTasks,
) -> tuple[ResultReceipt, ...]:
    """Take the results of several items of a lease, all or none; sending them again changes nothing."""
    receipts, job_id = _take(session, device_id, lease_id, results, now)
    if job_id is not None:
        tasks.add_task(advance_after_answer, database, context.store, job_id, context.now)
    return receipts


@router.delete("/agent/leases/{lease_id}", status_code=204)
def give_back(
    device_id: CallingDeviceDep,
    lease_id: str,
    fence: Annotated[int, Query(description="of the hand-out that is given back")],
    session: SessionDep,
) -> None:
    """Queue a lease again at once: its agent was told to stop before the lease was measured."""
    give_back_lease(session, device_id, lease_id, fence)


@router.post("/agent/heartbeat")
def heartbeat(caller: DeviceDep, beat: Heartbeat, session: SessionDep, now: NowDep) -> HeartbeatReply:
    """Note that a device is alive; prolong its lease, or tell it to stop; without one, tell what to do."""
    device_id = caller.device_id or ""
    touch(session, device_id, beat.environment, now)
    if beat.lease_id is None or beat.fence is None:
        return _asked(session, caller, beat, now)
    is_kept = renew_lease(session, device_id, beat.lease_id, beat.fence, beat.progress, now)
    return HeartbeatReply(cancel=not is_kept, interval_s=HEARTBEAT_S)


@router.get("/artifacts/{sha256}", response_class=FileResponse)
def get_artifact(caller: ReaderDep, sha256: str, session: SessionDep, context: ContextDep) -> Response:
    """Return a model file; a device gets those that its leases name."""
    name = find_artifact(session, sha256, caller.device_id)
    return stored_file(context.store, name, {"ETag": f'"{sha256}"'})


def _take(
    session: Session, device_id: str, lease_id: str, results: Sequence[Result], now: datetime
) -> tuple[tuple[ResultReceipt, ...], str | None]:
    """Store results; return a receipt for each, and the job to advance if any."""
    touch(session, device_id, results[-1].environment_after, now)
    return ingest_results(session, device_id, lease_id, results, now)


def _asked(session: Session, caller: Caller, beat: Heartbeat, now: datetime) -> HeartbeatReply:
    row = session.get_one(DeviceRow, caller.device_id)
    if beat.upgrade_failure:
        note_upgrade_failure(row, beat.upgrade_failure)
    return HeartbeatReply(
        interval_s=HEARTBEAT_S,
        rotate=is_rotation_due(session, caller, row, now),
        upgrade=own_wheel() if row.should_upgrade else None,
    )


def _claim(
    database: Database, device_id: str, request: LeaseRequest, now: datetime
) -> tuple[Lease | None, bool]:
    """Return work for a device, if there is some, and whether it should not wait for more."""
    with database.transaction() as session:
        touch(session, device_id, request.environment, now, request.waiting_for)
        if request.device is not None:
            renew_facts(session, device_id, request.device)
        if request.waiting_for or (request.does_errands and has_errand(session, device_id)):
            return None, True
        return claim_lease(session, device_id, now), False


def _check_protocol(request: LeaseRequest) -> None:
    if request.protocol_max < PROTOCOL_MIN or request.protocol_min > PROTOCOL_MAX:
        is_agent_old = request.protocol_max < PROTOCOL_MIN
        upgrade = (
            "type the line that 'edgenas devices add' shows on the device"
            if is_agent_old
            else "bring the server to the version that the agent came from"
        )
        raise UpgradeRequiredError(
            "protocol_mismatch",
            f"the agent speaks protocol {request.protocol_min}..{request.protocol_max}, the server "
            f"{PROTOCOL_MIN}..{PROTOCOL_MAX}; {upgrade}",
        )
