"""The audit trail in the database: added to, read by administrators, never changed."""

import getpass
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import AuditRow
from search_server.errors import refusing_values
from search_server.resources.audit import AuditEntry
from search_server.resources.page import Page

_TOKEN = re.compile(r"edg_[a-z]+_[A-Za-z0-9_-]+")
"""A token that somebody wrote into an address by mistake; its secret is not kept."""

_MAX_SUBJECT = 500


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted; None: any."""

    user: str | None = None
    subject: str | None = None
    """Part of the subject."""
    status: int | None = None
    since: datetime | None = None
    until: datetime | None = None


def record(
    session: Session,
    now: datetime,
    user: str,
    scope: str,
    action: str,
    subject: str,
    status: int,
    address: str,
    token_id: str | None = None,
    request_id: str | None = None,
) -> None:
    """Add an entry."""
    plain = _TOKEN.sub("edg_(token)", subject).replace("\0", "").encode("utf-8", "replace").decode()
    session.add(
        AuditRow(
            at=now,
            user=user,
            token_id=token_id,
            scope=scope,
            action=action[:200],
            subject=plain[:_MAX_SUBJECT],
            status=status,
            address=address[:100],
            request_id=request_id,
        )
    )


def record_command(session: Session, now: datetime, action: str, subject: str) -> None:
    """Add an entry for a command that somebody types on the server."""
    record(
        session, now, f"os:{getpass.getuser()}"[:64], "command", action, subject, 0, socket.gethostname()
    )


def list_audit(session: Session, wanted: AuditFilter, cursor: str | None, limit: int) -> Page[AuditEntry]:
    """Return entries, newest first; the cursor is the number of the last one.

    Raises:
        InvalidValueError: the cursor is no number.
    """
    statement = select(AuditRow).order_by(AuditRow.audit_id.desc()).limit(limit + 1)
    if cursor is not None:
        with refusing_values("query.cursor"):
            if not re.fullmatch(r"[0-9]{1,9}", cursor):
                raise ValueError(f"cursor must be the 'next_cursor' of the page before, got {cursor!r:.40}")
            statement = statement.where(AuditRow.audit_id < int(cursor))
    if wanted.user is not None:
        statement = statement.where(AuditRow.user == wanted.user)
    if wanted.subject is not None:
        statement = statement.where(AuditRow.subject.contains(wanted.subject, autoescape=True))
    if wanted.status is not None:
        statement = statement.where(AuditRow.status == wanted.status)
    if wanted.since is not None:
        statement = statement.where(AuditRow.at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(AuditRow.at < wanted.until)
    rows = session.scalars(statement).all()
    items = tuple(_entry(row) for row in rows[:limit])
    return Page(items, str(items[-1].audit_id) if len(rows) > limit else None)


def iterate_audit(session: Session, wanted: AuditFilter) -> Iterator[AuditEntry]:
    """Yield entries, newest first, read page after page."""
    cursor: str | None = None
    while True:
        page = list_audit(session, wanted, cursor, 200)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        audit_id=row.audit_id,
        at=row.at.isoformat(),
        user=row.user,
        scope=row.scope,
        action=row.action,
        subject=row.subject,
        status=row.status,
        address=row.address,
        token_id=row.token_id,
        request_id=row.request_id,
    )
