"""What the server refuses and how it says so: one hierarchy, one handler, one body.

::

    ServerError                 500
    ├── UnauthenticatedError    401  no valid token
    ├── ForbiddenError          403  a valid token of the wrong scope
    ├── NotFoundError           404  a stored thing does not exist
    ├── ConflictError           409  the state of a stored thing speaks against it
    ├── TooLargeError           413  the request's body is over the limit
    ├── InvalidValueError       422  a value in the request is wrong
    ├── UpgradeRequiredError    426  the agent's version no longer fits the server's
    ├── TooManyRequestsError    429  too much is waiting already
    └── UnavailableError        503  the server cannot serve yet
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, ClassVar

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from search_server.db.failures import Failure, failure_of
from shared.wire import ErrorBody, FieldError, to_dict

PROBLEM_JSON = "application/problem+json"

ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorBody, "description": "Refused; `type` is a stable word, `detail` says what to do"}
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


class ServerError(Exception):
    """A fact about stored things or about the request keeps the server from doing what was asked."""

    status: ClassVar[int] = 500

    def __init__(self, word: str, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.word = word
        self.errors = errors

    def body(self) -> ErrorBody:
        """Return what travels to the caller."""
        return _body(self.word, self.status, str(self), self.errors)


class UnauthenticatedError(ServerError):
    """No token, or one that is unknown, expired, revoked or spent."""

    status = 401


class ForbiddenError(ServerError):
    """The token's scope does not allow this."""

    status = 403


class NotFoundError(ServerError):
    """A stored thing does not exist."""

    status = 404


class ConflictError(ServerError):
    """The state of a stored thing speaks against it."""

    status = 409


class TooLargeError(ServerError):
    """The request's body is over the limit."""

    status = 413


class InvalidValueError(ServerError):
    """A value in the request is wrong."""

    status = 422


class UpgradeRequiredError(ServerError):
    """Agent and server have no protocol version in common."""

    status = 426


class TooManyRequestsError(ServerError):
    """Too much of this is waiting already."""

    status = 429


class UnavailableError(ServerError):
    """The server cannot serve yet."""

    status = 503


@contextmanager
def refusing_values(path: str) -> Iterator[None]:
    """Turn a ValueError of the block into the refusal of the request's field ``path``.

    Raises:
        InvalidValueError: the block raised a ValueError.
    """
    try:
        yield
    except ValueError as error:
        raise InvalidValueError("invalid_value", str(error), (FieldError(path, str(error)),)) from error


def install_error_handler(app: FastAPI) -> None:
    """Answer every error of the app with an :class:`ErrorBody`."""
    kinds = (ServerError, RequestValidationError, HTTPException, DBAPIError, PoolTimeoutError, Exception)
    for kind in kinds:
        app.add_exception_handler(kind, _answer_error)


def error_response(body: ErrorBody) -> JSONResponse:
    """Return the HTTP answer for an error body."""
    headers = {"WWW-Authenticate": "Bearer"} if body.status == UnauthenticatedError.status else None
    return JSONResponse(to_dict(body), body.status, headers, media_type=PROBLEM_JSON)


async def _answer_error(request: Request, error: Exception) -> JSONResponse:
    match error:
        case ServerError():
            body = error.body()
        case RequestValidationError():
            errors = tuple(_field_error(fault) for fault in error.errors())
            detail = "; ".join(f"{fault.path}: {fault.message}" for fault in errors)
            body = _body("invalid_request", InvalidValueError.status, detail, errors)
        case HTTPException(status_code=404):
            detail = f"no route {request.url.path}; the routes are listed at /docs"
            body = _body("unknown_route", 404, detail)
        case HTTPException(status_code=405):
            detail = f"{request.url.path} does not take {request.method}; the routes are listed at /docs"
            body = _body("method_not_allowed", 405, detail)
        case IntegrityError():
            detail = "another request changed the same thing at the same moment; send this one again"
            body = _body("conflict", ConflictError.status, detail)
        case OperationalError() | PoolTimeoutError():
            body = _database_body(request.url.path, error)
        case HTTPException():
            body = _body("http_error", error.status_code, str(error.detail))
        case _:
            _log.error("request failed", path=request.url.path, exc_info=error)
            body = _body("internal_error", 500, "the server failed; its log has the details")
    return error_response(body)


def _database_body(path: str, error: OperationalError | PoolTimeoutError) -> ErrorBody:
    failure = failure_of(error) if isinstance(error, OperationalError) else "busy"
    word, status, detail = _DATABASE_FAILURES[failure]
    log = _log.error if failure == "broken" else _log.warning
    log("database failed", path=path, failure=failure, error=str(error))
    return _body(word, status, detail)


def _field_error(fault: dict[str, Any]) -> FieldError:
    message = fault["msg"].removeprefix("Value error, ")
    return FieldError(".".join(str(part) for part in fault["loc"]), message)


def _body(word: str, status: int, detail: str, errors: tuple[FieldError, ...] = ()) -> ErrorBody:
    return ErrorBody(word, HTTPStatus(status).phrase, status, detail, errors)
