"""What the server refuses: one hierarchy of errors, each with a word, a status and a sentence.

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
    ├── UnavailableError        503  the server cannot serve yet
    └── DamagedError            500  stored bytes are not those that were stored
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import ClassVar

from shared.protocol.wire import ErrorBody, FieldError


class ServerError(Exception):
    """A fact about stored things or about the request keeps the server from doing what was asked."""

    status: ClassVar[int] = 500

    def __init__(self, word: str, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.word = word
        self.errors = errors

    def body(self) -> ErrorBody:
        """Return what travels to the caller."""
        return error_body(self.word, self.status, str(self), self.errors)


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
    """Too much of this is waiting already, or came in a short time."""

    status = 429

    def __init__(self, word: str, detail: str, retry_after_s: int = 60) -> None:
        super().__init__(word, detail)
        self.retry_after_s = retry_after_s


class UnavailableError(ServerError):
    """The server cannot serve yet."""

    status = 503


class DamagedError(ServerError):
    """Stored bytes are not those that were stored."""


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


def error_body(word: str, status: int, detail: str, errors: tuple[FieldError, ...] = ()) -> ErrorBody:
    """Return the body of an error's answer; ``word`` is stable, ``detail`` one sentence."""
    return ErrorBody(word, HTTPStatus(status).phrase, status, detail, errors)
