"""Bearer tokens: made, checked, revoked; and who may use which route.

A token reads ``edg_<scope>_<lookup id>_<secret>``. The secret has 32 random bytes and is stored as
SHA-256 (it is no password: there is nothing to guess), found by its lookup id and compared in constant
time.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal, get_args

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from search_server.context import NowDep
from search_server.db.models import TokenRow
from search_server.db.session import DatabaseDep
from search_server.errors import ForbiddenError, NotFoundError, UnauthenticatedError

Scope = Literal["enrol", "device", "user", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

SESSION_COOKIE = "edgenas_session"
"""Where the pages keep a user's token; it counts for GET only, so no other site can change anything."""

SECRET_BYTES = 32
LAST_USED_STEP = timedelta(minutes=1)
"""``last_used_at`` is exact to this, so that reading stays without writing."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request."""

    token_id: str
    scope: Scope
    device_id: str | None = None


def create_token(
    session: Session,
    scope: Scope,
    now: datetime,
    ttl: timedelta | None = None,
    device_id: str | None = None,
) -> str:
    """Store a new token and return its text, which is not kept. Enrolment tokens work once."""
    token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(SECRET_BYTES)
    session.add(
        TokenRow(
            token_id=token_id,
            scope=scope,
            secret_sha256=_digest(secret),
            device_id=device_id,
            created_at=now,
            expires_at=now + ttl if ttl else None,
        )
    )
    session.flush()
    return f"edg_{scope}_{token_id}_{secret}"


def authenticate(session: Session, text: str, now: datetime) -> TokenRow:
    """Return the stored token that a text is.

    Raises:
        UnauthenticatedError: unknown, expired, revoked or spent.
    """
    prefix, _, rest = text.partition("_")
    scope, _, rest = rest.partition("_")
    token_id, _, secret = rest.partition("_")
    row = session.get(TokenRow, token_id) if prefix == "edg" else None
    expected = row.secret_sha256 if row else _digest("")
    is_equal = hmac.compare_digest(expected, _digest(secret))
    if row is None or not is_equal or row.scope != scope:
        raise _unauthenticated("the token is not known")
    if row.revoked_at is not None:
        raise _unauthenticated(f"token {token_id} was revoked at {row.revoked_at:%Y-%m-%d %H:%M} UTC")
    if row.expires_at is not None and row.expires_at <= now:
        raise _unauthenticated(f"token {token_id} expired at {row.expires_at:%Y-%m-%d %H:%M} UTC")
    if row.used_at is not None:
        raise _unauthenticated(f"enrolment token {token_id} was used already; each works once")
    return row


def spend_token(session: Session, token_id: str, now: datetime) -> None:
    """Use up a single-use token.

    Raises:
        UnauthenticatedError: another request was faster.
    """
    statement = update(TokenRow).where(TokenRow.token_id == token_id, TokenRow.used_at.is_(None))
    spent = session.scalars(statement.values(used_at=now).returning(TokenRow.token_id)).all()
    if not spent:
        raise _unauthenticated(f"enrolment token {token_id} was used already; each works once")


def revoke_token(session: Session, token_id: str, now: datetime) -> None:
    """Make a token useless from now on.

    Raises:
        NotFoundError: no such token.
    """
    row = session.get(TokenRow, token_id)
    if row is None:
        raise NotFoundError(
            "unknown_token", f"no token {token_id!r}; 'search-server token list' lists them"
        )
    row.revoked_at = row.revoked_at or now


def revoke_device_tokens(session: Session, device_id: str, now: datetime) -> None:
    """Make a device's credentials useless from now on."""
    statement = update(TokenRow).where(TokenRow.device_id == device_id, TokenRow.revoked_at.is_(None))
    session.execute(statement.values(revoked_at=now))


def list_tokens(session: Session) -> list[TokenRow]:
    """Return all tokens, oldest first."""
    return list(session.scalars(select(TokenRow).order_by(TokenRow.created_at, TokenRow.token_id)))


_bearer = HTTPBearer(
    auto_error=False, description="`edg_<scope>_...`, from `search-server token create` or enrolment"
)


def _caller(
    database: DatabaseDep,
    now: NowDep,
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    text = credentials.credentials if credentials else _session_token(request)
    if text is None:
        raise _unauthenticated("the request has no 'Authorization: Bearer' header")
    with database.reading() as session:
        row = authenticate(session, text, now)
    if row.last_used_at is None or now - row.last_used_at >= LAST_USED_STEP:
        with database.transaction() as session:
            statement = update(TokenRow).where(TokenRow.token_id == row.token_id)
            session.execute(statement.values(last_used_at=now))
    scope = next(known for known in SCOPES if known == row.scope)
    return Caller(row.token_id, scope, row.device_id)


def _session_token(request: Request) -> str | None:
    """Return the token of a browser's session; it only reads, so no other site can make it act."""
    return request.cookies.get(SESSION_COOKIE) if request.method == "GET" else None


CallerDep = Annotated[Caller, Depends(_caller)]


class _Allow:
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


UserDep = Annotated[Caller, Depends(_Allow("user", "admin"))]
EnrolDep = Annotated[Caller, Depends(_Allow("enrol", "device"))]
ReaderDep = Annotated[Caller, Depends(_Allow("device", "user", "admin"))]


def _calling_device(caller: Annotated[Caller, Depends(_Allow("device"))]) -> str:
    assert caller.device_id is not None, "device tokens belong to a device"
    return caller.device_id


CallingDeviceDep = Annotated[str, Depends(_calling_device)]
"""The id of the device whose agent sent the request."""


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _unauthenticated(reason: str) -> UnauthenticatedError:
    return UnauthenticatedError(
        "unauthenticated",
        f"{reason}; make one with 'search-server token create --scope user' "
        "(or, for a device, --scope enrol and then 'profiler-agent enrol URL')",
    )
