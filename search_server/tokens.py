"""Bearer tokens: made, checked, revoked.

A token reads ``edg_<scope>_<lookup id>_<secret>``. The secret has 32 random bytes and is stored as
SHA-256 (it is no password: there is nothing to guess), found by its lookup id and compared in constant
time.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from search_server.db.models import SHARED, TokenRow, UserRow
from search_server.errors import (
    ForbiddenError,
    NotFoundError,
    TooManyRequestsError,
    UnauthenticatedError,
)
from search_server.people import Ownership, require_usable

Scope = Literal["enrol", "device", "user", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

SECRET_BYTES = 32

ENROLMENT_TTL = timedelta(hours=1)
"""How long an enrolment token works that a user asks for."""
MAX_ENROLMENTS = 20
"""Such tokens that one user may have at a time."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request."""

    token_id: str
    scope: Scope
    device_id: str | None = None
    owner: str = SHARED
    """The user whose token it is."""

    @property
    def is_admin(self) -> bool:
        """Tell whether the caller may read and change what is another's."""
        return self.scope == "admin"

    def require_own(self, owner: str, thing: str) -> None:
        """Return if the caller may change a thing of this owner.

        Raises:
            ForbiddenError: it is another user's, and the caller is no administrator.
        """
        if owner != self.owner and not self.is_admin:
            raise ForbiddenError(
                "not_yours",
                f"{thing} belongs to {owner}, you are {self.owner}; only {owner} and administrators may "
                "change it",
            )

    def owning(self, is_private: bool = False) -> Ownership:
        """Return whom a thing belongs to that the caller makes."""
        return Ownership(self.owner, is_private)


def create_token(
    session: Session,
    scope: Scope,
    now: datetime,
    ttl: timedelta | None = None,
    device_id: str | None = None,
    parent_token_id: str | None = None,
    owner: str = SHARED,
    made_with: str | None = None,
) -> str:
    """Store a new token and return its text, which is not kept. Enrolment tokens work once.

    Args:
        session: open for writing.
        scope: what it may be used for.
        now: when it is made.
        ttl: how long it works; None: until it is revoked.
        device_id: the device whose credential it is.
        parent_token_id: the token that it was had with; each gives one.
        owner: the user whose token it is.
        made_with: the token with which a person asked for it.

    Raises:
        NotFoundError: there is no such user.
        ConflictError: the user is disabled, or the scope is admin and the user no administrator.
    """
    if scope != "device":
        require_usable(session, owner, as_admin=scope == "admin")
    token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(SECRET_BYTES)
    session.add(
        TokenRow(
            token_id=token_id,
            scope=scope,
            owner=owner,
            secret_sha256=_digest(secret),
            device_id=device_id,
            parent_token_id=parent_token_id,
            made_with=made_with,
            created_at=now,
            expires_at=now + ttl if ttl else None,
        )
    )
    session.flush()
    return f"edg_{scope}_{token_id}_{secret}"


def require_standing(session: Session, token_id: str) -> None:
    """Return if a token still works, and let nobody revoke it, or make another one of it, until the end.

    Raises:
        UnauthenticatedError: it was revoked after its request was let in.
    """
    statement = select(TokenRow.revoked_at).where(TokenRow.token_id == token_id)
    if session.scalar(statement.with_for_update(key_share=True)) is not None:
        raise unauthenticated(f"token {token_id} was revoked a moment ago")


def create_enrolment(session: Session, caller: Caller, now: datetime) -> str:
    """Store a token with which one device of the caller enrols within an hour, and return its text.

    Raises:
        TooManyRequestsError: the user has as many already.
        UnauthenticatedError: the caller's token was revoked meanwhile.
    """
    require_standing(session, caller.token_id)
    owner = caller.owner
    mine = TokenRow.owner == owner, TokenRow.scope == "enrol"
    open_ones = TokenRow.used_at.is_(None), TokenRow.revoked_at.is_(None), TokenRow.expires_at > now
    count = select(func.count()).select_from(TokenRow).where(*mine, *open_ones)
    if (session.scalar(count) or 0) >= MAX_ENROLMENTS:
        raise TooManyRequestsError(
            "too_many_enrolments",
            f"user {owner} has {MAX_ENROLMENTS} enrolment tokens that no device has used yet, as many as "
            "one may have; use one of them, or wait an hour",
            int(ENROLMENT_TTL.total_seconds()),
        )
    return create_token(session, "enrol", now, ENROLMENT_TTL, owner=owner, made_with=caller.token_id)


def token_id_of(text: str) -> str:
    """Return the lookup id in a token's text, which is no secret."""
    return text.split("_", 3)[2]


def authenticate(session: Session, text: str, now: datetime) -> TokenRow:
    """Return the stored token that a text is.

    Raises:
        UnauthenticatedError: unknown, expired, revoked or spent, or its user is disabled.
    """
    prefix, _, rest = text.partition("_")
    scope, _, rest = rest.partition("_")
    token_id, _, secret = rest.partition("_")
    row = session.get(TokenRow, token_id) if prefix == "edg" else None
    expected = row.secret_sha256 if row else _digest("")
    is_equal = hmac.compare_digest(expected, _digest(secret))
    if row is None or not is_equal or row.scope != scope:
        raise unauthenticated("the token is not known")
    if row.revoked_at is not None:
        raise unauthenticated(f"token {token_id} was revoked at {row.revoked_at:%Y-%m-%d %H:%M} UTC")
    if row.expires_at is not None and row.expires_at <= now:
        raise unauthenticated(f"token {token_id} expired at {row.expires_at:%Y-%m-%d %H:%M} UTC")
    if row.used_at is not None:
        raise unauthenticated(f"enrolment token {token_id} was used already; each works once")
    if row.scope != "device":  # devices go on, whoever enrolled them
        user = session.get_one(UserRow, row.owner)
        if user.disabled_at is not None:
            raise unauthenticated(f"user {user.name} was disabled at {user.disabled_at:%Y-%m-%d %H:%M} UTC")
    return row


def spend_token(session: Session, token_id: str, now: datetime) -> None:
    """Use up a single-use token.

    Raises:
        UnauthenticatedError: another request was faster.
    """
    statement = update(TokenRow).where(TokenRow.token_id == token_id, TokenRow.used_at.is_(None))
    spent = session.scalars(statement.values(used_at=now).returning(TokenRow.token_id)).all()
    if not spent:
        raise unauthenticated(f"enrolment token {token_id} was used already; each works once")


def has_used_successor(session: Session, token_id: str) -> bool:
    """Tell whether another token was had with this one and was used."""
    statement = select(TokenRow.token_id).where(TokenRow.parent_token_id == token_id)
    return session.scalar(statement.where(TokenRow.last_used_at.is_not(None))) is not None


def withdraw_unused_successor(session: Session, token_id: str) -> None:
    """Forget a token that was had with this one and never used: its text did not arrive."""
    unused = TokenRow.parent_token_id == token_id, TokenRow.last_used_at.is_(None)
    session.execute(delete(TokenRow).where(*unused))


def note_use(session: Session, row: TokenRow, now: datetime) -> None:
    """Note that a token was used; the credential that it replaces ends with its first use."""
    used = update(TokenRow).where(TokenRow.token_id == row.token_id)
    session.execute(used.values(last_used_at=now))
    if row.last_used_at is None and row.scope == "device" and row.parent_token_id is not None:
        replaced = TokenRow.token_id == row.parent_token_id, TokenRow.scope == "device"
        ended = update(TokenRow).where(*replaced, TokenRow.revoked_at.is_(None))
        session.execute(ended.values(revoked_at=now))


def revoke_token(session: Session, token_id: str, now: datetime) -> None:
    """Make a token, and those that were had with it, useless from now on.

    Devices that enrolled with what a person asked for go on; what no device has used yet does not.

    Raises:
        NotFoundError: no such token.
    """
    # What is being made of it at this moment comes first.
    row = session.get(TokenRow, token_id, with_for_update={"key_share": True})
    if row is None:
        raise NotFoundError(
            "unknown_token", f"no token {token_id!r}; 'search-server token list' lists them"
        )
    unused = TokenRow.made_with == token_id, TokenRow.used_at.is_(None), TokenRow.revoked_at.is_(None)
    session.execute(update(TokenRow).where(*unused).values(revoked_at=now))
    while row is not None:
        row.revoked_at = row.revoked_at or now
        child = select(TokenRow).where(TokenRow.parent_token_id == row.token_id)
        row = session.scalar(child.with_for_update(key_share=True))


def revoke_device_tokens(session: Session, device_id: str, now: datetime) -> None:
    """Make a device's credentials useless from now on, also one that is being renewed."""
    every = select(TokenRow.token_id).where(TokenRow.device_id == device_id)
    session.execute(every.with_for_update(key_share=True))
    statement = update(TokenRow).where(TokenRow.device_id == device_id, TokenRow.revoked_at.is_(None))
    session.execute(statement.values(revoked_at=now))


def list_tokens(session: Session) -> list[TokenRow]:
    """Return all tokens, oldest first."""
    return list(session.scalars(select(TokenRow).order_by(TokenRow.created_at, TokenRow.token_id)))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def unauthenticated(reason: str) -> UnauthenticatedError:
    """Return the refusal for this reason, with the way to a token."""
    return UnauthenticatedError(
        "unauthenticated",
        f"{reason}; make one with 'search-server token create --scope user' "
        "(or, for a device, --scope enrol and then 'profiler-agent enrol URL')",
    )
