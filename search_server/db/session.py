"""Connections and transactions: the only place that commits.

A request runs in one transaction: read-only for GET, writing for everything else, ended before the
answer is sent, so that nobody hears of a change that was not kept.

SQLite has one writer at a time. Those of this process wait for each other in a queue of their own: SQLite
lets a waiting writer sleep and try again, at last 0.1 s later, however soon its turn comes.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.orm import Session, sessionmaker

from search_server.db.stored_json import read_stored_json
from search_server.db.visibility import hide_private_rows

BUSY_TIMEOUT_MS = 15_000
"""How long a writer of SQLite waits for another one."""

_TURN = "turn"
_OPTIONS: dict[str, Any] = {
    "pool_size": 10,
    "max_overflow": 30,
    "json_deserializer": read_stored_json,
}


class Database:
    """An engine with its two kinds of transaction."""

    def __init__(self, url: str) -> None:
        self.engine = _create_engine(url)
        options: dict[str, Any] = {"is_read_only": True}
        if self.engine.name == "postgresql":  # SQLite reads one state by itself
            options |= {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
        reading = self.engine.execution_options(**options)
        turns = {_TURN: threading.Lock()} if self.engine.name == "sqlite" else {}
        self.sessions = sessionmaker(self.engine, expire_on_commit=False, info=turns)
        self.reading_sessions = sessionmaker(reading, expire_on_commit=False)
        for maker in (self.sessions, self.reading_sessions):
            hide_private_rows(maker)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a session; commit at the end, roll back if the block raises."""
        with begun(self.sessions()) as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that sees one state of the database and changes nothing."""
        with self.reading_sessions() as session:
            yield session

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextmanager
def begun(session: Session) -> Iterator[Session]:
    """Begin a transaction; commit at the end, roll back if the block raises, and close the session."""
    with _turn(session), session, session.begin():
        yield session


@contextmanager
def _turn(session: Session) -> Iterator[None]:
    turn: threading.Lock | None = session.info.get(_TURN)
    # Whoever waited in vain asks SQLite, which says what holds the lock.
    is_mine = turn is not None and turn.acquire(timeout=BUSY_TIMEOUT_MS / 1000)
    try:
        yield
    finally:
        if turn is not None and is_mine:
            turn.release()


def _create_engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True, **_OPTIONS)
    engine = create_engine(parsed, **_OPTIONS)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    # Python's driver would begin transactions at moments of its own choice; see _begin_sqlite.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "foreign_keys=ON",
        "synchronous=NORMAL",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at the start: a transaction that asks for it half-way can only fail."""
    is_read_only = connection.get_execution_options().get("is_read_only", False)
    connection.exec_driver_sql("BEGIN" if is_read_only else "BEGIN IMMEDIATE")
