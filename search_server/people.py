"""People and robots that tokens belong to: added, listed, disabled."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import SHARED, UserRow
from search_server.errors import ConflictError, NotFoundError

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_RESERVED = ("me",)


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whom a new thing belongs to, and whether others may read it."""

    owner: str = SHARED
    is_private: bool = False


NOBODYS = Ownership()
"""Of what nobody in particular makes."""


def add_user(
    session: Session, name: str, now: datetime, *, is_robot: bool = False, is_admin: bool = False
) -> None:
    """Add a person, or a robot such as a build server.

    Raises:
        ValueError: nobody can have this name.
        ConflictError: somebody has it.
    """
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise ValueError(
            f"a user cannot be called {name[:65]!r}: a name has 1 to 64 characters out of a-z, 0-9, '.', "
            "'_' and '-', begins with a letter or digit, and is not 'me', which always is the caller"
        )
    if session.get(UserRow, name) is not None:
        raise ConflictError("name_taken", f"there is a user {name!r} already; choose another name")
    session.add(UserRow(name=name, is_robot=is_robot, is_admin=is_admin, created_at=now))
    session.flush()


def list_users(session: Session) -> Sequence[UserRow]:
    """Return all users by name."""
    return session.scalars(select(UserRow).order_by(UserRow.name)).all()


def find_user(session: Session, name: str) -> UserRow:
    """Return a user.

    Raises:
        NotFoundError: there is none of this name.
    """
    row = session.get(UserRow, name)
    if row is None:
        raise NotFoundError("unknown_user", f"no user {name!r}; 'search-server user list' lists them")
    return row


def set_disabled(session: Session, name: str, disabled_at: datetime | None) -> None:
    """Let all tokens of a user work no longer, or again; her jobs, tables and devices stay hers.

    Raises:
        NotFoundError: there is none of this name.
    """
    row = find_user(session, name)
    row.disabled_at = None if disabled_at is None else row.disabled_at or disabled_at


def require_usable(session: Session, name: str, *, as_admin: bool) -> None:
    """Return if a token can be made for a user.

    Raises:
        NotFoundError: there is none of this name.
        ConflictError: the user is disabled, or no administrator.
    """
    row = find_user(session, name)
    if row.disabled_at is not None:
        way_out = (
            "name another with --user" if name == SHARED else f"'search-server user enable {name}' helps"
        )
        raise ConflictError("user_disabled", f"user {name!r} is disabled; {way_out}")
    if as_admin and not row.is_admin:
        raise ConflictError(
            "no_administrator",
            f"user {name!r} is no administrator; make a token of scope user, or add a user with --admin",
        )
