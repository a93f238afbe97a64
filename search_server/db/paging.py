"""Part of a list: newest first, continued by the identifier of the last row."""

from typing import TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from search_server.db.base import Base

R = TypeVar("R", bound=Base)


def fetch_page(
    session: Session,
    statement: Select[R],
    key: InstrumentedAttribute[str],
    cursor: str | None,
    limit: int,
) -> tuple[list[R], str | None]:
    """Return up to ``limit`` rows in falling order of ``key``, and the cursor of the rest, if any."""
    if cursor is not None:
        statement = statement.where(key < cursor)
    rows = list(session.scalars(statement.order_by(key.desc()).limit(limit + 1)))
    has_more = len(rows) > limit
    rows = rows[:limit]
    return rows, getattr(rows[-1], key.key) if has_more else None
