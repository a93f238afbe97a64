"""How errors reach the caller: one handler, one body for all of them (RFC 9457)."""

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from search_server.db.failures import Failure, failure_of
from search_server.errors import (
    ConflictError,
    InvalidValueError,
    ServerError,
    TooManyRequestsError,
    UnauthenticatedError,
    UnavailableError,
    error_body,
)
from search_server.routes.context import Context
from search_server.routes.request_ids import REQUEST_ID_HEADER
from shared.protocol.wire import ErrorBody, FieldError, to_dict

PROBLEM_JSON = "application/problem+json"

RETRY_AFTER_S = 3
"""Of every 503. Agents add up to half of it."""

ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "model": ErrorBody,
        "description": "Refused; `type` is a stable word, `detail` says what to do",
    },
    503: {
        "model": ErrorBody,
        "description": "Too much to do, or the database is away: come again after `Retry-After` seconds",
    },
}
"""For ``responses=`` of every router."""

_DATABASE_FAILURES: Mapping[Failure, tuple[str, int, str]] = {
    "busy": ("database_busy", 503, "the database is busy; send the request again in a moment"),
    "unreachable": (
        "no_database",
        503,
        "the database does not answer; is it running, and is EDGENAS_DATABASE_URL right?",
    ),
    "broken": (
        "database_failed",
        500,
        "the database failed: its disk may be full, or 'search-server migrate' is due; the server's log "
        "has its words",
    ),
}
"""Word, status and detail."""

_log = structlog.get_logger()


def install_error_handler(app: FastAPI) -> None:
    """Answer every error of the app with an :class:`ErrorBody`."""
    kinds = (ServerError, RequestValidationError, HTTPException, ClientDisconnect)
    for kind in (*kinds, DBAPIError, PoolTimeoutError, Exception):
        app.add_exception_handler(kind, answer_error)


def error_response(body: ErrorBody, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the HTTP answer for an error body."""
    own: dict[str, str] = {}
    if body.status == UnauthenticatedError.status:
        own = {"WWW-Authenticate": "Bearer"}
    elif body.status == UnavailableError.status:
        own = {"Retry-After": str(RETRY_AFTER_S)}
    return JSONResponse(to_dict(body), body.status, {**own, **(headers or {})}, PROBLEM_JSON)


async def answer_error(request: Request, error: Exception) -> JSONResponse:
    """Return the answer to an error of a route."""
    match error:
        case TooManyRequestsError():
            return error_response(error.body(), {"Retry-After": str(error.retry_after_s)})
        case ServerError():
            body = error.body()
        case RequestValidationError():
            errors = tuple(_field_error(fault) for fault in error.errors())
            detail = "; ".join(f"{fault.path}: {fault.message}" for fault in errors)
            body = error_body("invalid_request", InvalidValueError.status, detail, errors)
        case HTTPException(status_code=404):
            detail = f"no route {request.url.path}; the routes are listed at /docs"
            body = error_body("unknown_route", 404, detail)
        case HTTPException(status_code=405):
            detail = f"{request.url.path} does not take {request.method}; the routes are listed at /docs"
            body = error_body("method_not_allowed", 405, detail)
            return error_response(body, error.headers)  # they tell which methods it takes
        case IntegrityError():
            detail = "another request changed the same thing at the same moment; send this one again"
            body = error_body("conflict", ConflictError.status, detail)
        case OperationalError() | PoolTimeoutError():
            body = _database_body(request, error)
        case ClientDisconnect():
            # Nobody reads this answer; it ends the request without a trace of a failure.
            body = error_body("hung_up", 400, "the request ended in the middle of its body")
        case HTTPException():
            body = error_body("http_error", error.status_code, str(error.detail))
        case _:
            _log.error("request failed", path=request.url.path, exc_info=error)
            request_id = getattr(request.state, "request_id", None)
            detail = f"the server failed; its log has the details of request {request_id}"
            body = error_body("internal_error", 500, detail)
            # This answer is sent outside of all middleware.
            return error_response(body, {REQUEST_ID_HEADER: request_id} if request_id else {})
    return error_response(body)


def _database_body(request: Request, error: OperationalError | PoolTimeoutError) -> ErrorBody:
    failure = failure_of(error) if isinstance(error, OperationalError) else "busy"
    context: Context = request.app.state.context
    context.figures.database_failures.labels(failure).inc()
    word, status, detail = _DATABASE_FAILURES[failure]
    log = _log.error if failure == "broken" else _log.warning
    log("database failed", path=request.url.path, failure=failure, error=str(error))
    return error_body(word, status, detail)


def _field_error(fault: dict[str, Any]) -> FieldError:
    message = fault["msg"].removeprefix("Value error, ")
    return FieldError(".".join(str(part) for part in fault["loc"]), message)
