"""Changing requests leave an entry in the audit trail: in the transaction of the change, or when refused.

Agents at work are left out, whose leases and results tell the same; so are requests without a valid token,
which change nothing and could fill the disk. Those are in the log.
"""

import structlog
from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from search_server.audit import record
from search_server.db.session import Database
from search_server.errors import ServerError
from search_server.resources.jobs import Job
from search_server.routes.context import Context
from search_server.tokens import Caller

_READS = ("/predictions", "/searches/dry-run")
"""Routes that take a body and change nothing."""

_REQUEST = "audited request"

_log = structlog.get_logger()


def attach(session: Session, request: Request) -> None:
    """Let a session end with the entry of a request, if that changes something."""
    if _caller_of(request) is not None:
        session.info[_REQUEST] = request


def write_within(session: Session, answer: object) -> None:
    """Add the entry of a request that was carried out to its own transaction."""
    request: Request | None = session.info.get(_REQUEST)
    if request is not None:
        _write(session, request, request.scope["route"].status_code or 200, answer)
        request.state.is_audited = True


def is_to_write(request: Request, error: Exception | None) -> bool:
    """Tell whether a request that has ended still lacks its entry."""
    return _caller_of(request) is not None and (
        error is not None or not getattr(request.state, "is_audited", False)
    )


def write_after(request: Request, error: Exception | None) -> None:
    """Add the entry of a request that was refused, or had no transaction of its own."""
    database: Database = request.app.state.database
    status = _status_of(error) if error else request.scope["route"].status_code or 200
    try:
        with database.transaction() as session:
            _write(session, request, status, None)
    except SQLAlchemyError as failure:
        _log.error("no audit entry", path=request.url.path, status=status, error=str(failure))


def _write(session: Session, request: Request, status: int, answer: object) -> None:
    caller, context = _caller_of(request), request.app.state.context
    assert caller is not None, "only requests with a caller are written"
    assert isinstance(context, Context), "every app has one"
    record(
        session,
        context.now(),
        caller.owner,
        caller.scope,
        f"{request.method} {request.scope['route'].path.removeprefix('/api/v1')}",
        " ".join(dict.fromkeys([*map(str, request.path_params.values()), *_made(answer)])),
        status,
        request.client.host if request.client else "",
        caller.token_id,
        getattr(request.state, "request_id", None),
    )


def _caller_of(request: Request) -> Caller | None:
    caller: Caller | None = getattr(request.state, "caller", None)
    reads = request.method in ("GET", "HEAD") or request.scope["route"].path.endswith(_READS)
    return None if caller is None or caller.scope == "device" or reads else caller


def _made(answer: object) -> list[str]:
    """Return the identifier of what a request made, if it made something."""
    match answer:
        case object(job=Job(job_id=name)):
            return [name]
        case object(summary=object(snapshot=str(name))) | object(snapshot=str(name)):
            return [name]
        case object(device_id=str(name)) | object(token_id=str(name)):
            return [name]
    return []


def _status_of(error: Exception) -> int:
    match error:
        case ServerError():
            return error.status
        case RequestValidationError():
            return 422
        case HTTPException():
            return error.status_code
        case IntegrityError():
            return 409
    return 500
