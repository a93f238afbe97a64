"""Take a test's database away for a while."""

import asyncio
import sqlite3
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event, text

from search_server.db.session import Database


@contextmanager
def away(database: Database) -> Iterator[None]:
    """PostgreSQL takes no connections and ends those it has; SQLite lacks some tables."""
    url = database.engine.url
    if database.engine.name == "postgresql":
        engine = create_engine(url.set(database="postgres"))
        name = url.database
        begin: tuple[str, ...] = (
            f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false',
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )
        end: tuple[str, ...] = (f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true',)
    else:
        engine = create_engine(url)
        names = ("jobs", "devices", "leases")
        begin = ("DROP VIEW node_latencies", *(f"ALTER TABLE {name} RENAME TO no_{name}" for name in names))
        end = tuple(f"ALTER TABLE no_{name} RENAME TO {name}" for name in names)
    _execute(engine, *begin)
    try:
        yield
    finally:
        _execute(engine, *end)
        engine.dispose()


@contextmanager
def locked(database: Database) -> Iterator[None]:
    """Another program holds SQLite's write lock for longer than writers wait: here 10 ms, not 15 s."""

    def hurry(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA busy_timeout=10")

    event.listen(database.engine, "connect", hurry)
    database.engine.dispose()  # who writes next opens a connection that does not wait for long
    path = str(database.engine.url.database)
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield


async def until_logged(logs: Sequence[MutableMapping[str, Any]], event: str, num_times: int) -> None:
    """Wait until an event was logged so often."""
    while sum(log["event"] == event for log in logs) < num_times:
        await asyncio.sleep(0)


def _execute(engine: Engine, *statements: str) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.execute(text(statement))
