"""Who may use which route: dependencies that read a bearer token or the session of a browser."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from search_server.db.models import TokenRow
from search_server.errors import ForbiddenError, TooManyRequestsError
from search_server.jobs.registry import Submission
from search_server.routes.browser_session import session_token
from search_server.routes.context import Context, ContextDep, DatabaseDep, IdempotencyKey, NowDep
from search_server.tokens import SCOPES, Caller, Scope, authenticate, note_use, unauthenticated

LAST_USED_STEP = timedelta(minutes=1)
"""``last_used_at`` is exact to this, so that reading stays without writing."""

_bearer = HTTPBearer(
    auto_error=False, description="`edg_<scope>_...`, from `search-server token create` or enrolment"
)


def _caller(
    database: DatabaseDep,
    context: ContextDep,
    now: NowDep,
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    text = credentials.credentials if credentials else session_token(request, context.public_url)
    if text is None:
        raise unauthenticated("the request has no 'Authorization: Bearer' header")
    with database.reading() as session:
        row = authenticate(session, text, now)
    if row.last_used_at is None or now - row.last_used_at >= LAST_USED_STEP:
        with database.transaction() as session:
            note_use(session, row, now)
    scope = next(known for known in SCOPES if known == row.scope)
    _require_rate(context, row, now)
    caller = Caller(row.token_id, scope, row.device_id, row.owner)
    request.state.caller = caller  # the audit trail names it, whatever becomes of the request
    return caller


def _require_rate(context: Context, token: TokenRow, now: datetime) -> None:
    """Return if a token may send a request now.

    Raises:
        TooManyRequestsError: it is a user's, and has sent as many as the limit allows.
    """
    wait_s = context.requests.take(token.token_id, 1, now) if token.scope == "user" else 0
    if wait_s:
        raise TooManyRequestsError(
            "too_many_requests",
            f"token {token.token_id} has sent {context.requests.amount:g} requests in a minute, as many "
            f"as EDGENAS_MAX_REQUESTS_PER_MINUTE allows; come again in {wait_s} s",
            wait_s,
        )


CallerDep = Annotated[Caller, Depends(_caller)]


class Allow:
    """A dependency that lets only some scopes pass."""

    def __init__(self, *scopes: Scope) -> None:
        self.scopes = scopes

    def __call__(self, caller: CallerDep) -> Caller:
        if caller.scope not in self.scopes:
            raise ForbiddenError(
                "wrong_scope",
                f"this route takes a token of scope {' or '.join(self.scopes)}, got {caller.scope}",
            )
        return caller


UserDep = Annotated[Caller, Depends(Allow("user", "admin"))]


def _owner_filter(
    caller: UserDep,
    owner: Annotated[str | None, Query(description="only what belongs to this user; `me`: to you")] = None,
) -> str | None:
    return caller.owner if owner == "me" else owner


OwnerFilterDep = Annotated[str | None, Depends(_owner_filter)]
"""Of a list: the user whose things are wanted; None: everybody's."""

PrivateQuery = Annotated[bool, Query(description="only you and administrators find it")]


def _submission(caller: UserDep, context: ContextDep, idempotency_key: IdempotencyKey = None) -> Submission:
    return Submission(
        caller,
        idempotency_key,
        context.max_queued_jobs,
        data_roots=context.data_roots,
        teachers=context.teachers,
    )


SubmissionDep = Annotated[Submission, Depends(_submission)]
"""Of a job, by a user."""

AdminDep = Annotated[Caller, Depends(Allow("admin"))]
EnrolDep = Annotated[Caller, Depends(Allow("enrol", "device"))]
ReaderDep = Annotated[Caller, Depends(Allow("device", "user", "admin"))]


DeviceDep = Annotated[Caller, Depends(Allow("device"))]
"""A device's agent."""


def _calling_device(caller: DeviceDep) -> str:
    assert caller.device_id is not None, "device tokens belong to a device"
    return caller.device_id


CallingDeviceDep = Annotated[str, Depends(_calling_device)]
"""The id of the device whose agent sent the request."""
