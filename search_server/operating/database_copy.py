"""A consistent copy of the database while others write to it, and the way back.

SQLite is copied by its own backup interface, PostgreSQL by ``pg_dump`` and ``pg_restore``.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, inspect, text
from sqlalchemy.orm import Session

from search_server.db.models import TABLES
from search_server.db.session import Database
from search_server.errors import UnavailableError

_VIEWS = ("node_latencies",)
_FUNCTIONS = ("audit_is_kept",)  # of the triggers that migrations make


@contextmanager
def copied_database(database: Database, target: Path) -> Iterator[Session]:
    """Write a copy to a file, and give a session that sees exactly what the copy holds.

    Raises:
        UnavailableError: pg_dump is missing, or refuses.
    """
    if database.engine.name == "sqlite":
        _copy_sqlite(Path(database.engine.url.database or ""), target)
        copy = Database(f"sqlite:///{target}")
        try:
            with copy.reading() as session:
                yield session
        finally:
            copy.close()
        return
    with database.reading() as session:
        state = session.scalar(text("SELECT pg_export_snapshot()"))
        arguments = ("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={state}")
        _run("pg_dump", database.engine.url, *arguments, f"--file={target}")
        yield session


def replace_database(database: Database, source: Path) -> None:
    """Put a copy in the place of what the database holds.

    Raises:
        UnavailableError: pg_restore is missing or refuses, or another process holds the database.
    """
    if database.engine.name == "sqlite":
        database.close()
        try:
            _copy_sqlite(source, Path(database.engine.url.database or ""))
        except sqlite3.Error as error:
            raise UnavailableError(
                "no_database", f"the database cannot be replaced ({error}); stop server and workers first"
            ) from error
        return
    require_program("pg_restore")
    _drop_all(database)
    arguments = ("--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error")
    _run("pg_restore", database.engine.url, *arguments, str(source))


def has_rows(database: Database) -> bool:
    """Tell whether there is anything in the database."""
    with database.reading() as session:
        names = set(inspect(session.connection()).get_table_names()) & set(TABLES.tables)
        return any(session.execute(text(f'SELECT 1 FROM "{name}" LIMIT 1')).first() for name in names)


def require_program(name: str) -> str:
    """Return where a program of PostgreSQL is.

    Raises:
        UnavailableError: it is not on the PATH.
    """
    found = shutil.which(name)
    if found is None:
        raise UnavailableError(
            "no_program",
            f"{name} is not on the PATH; install PostgreSQL's client programs of the server's version or "
            "later (Debian: apt install postgresql-client), or add their folder to the PATH",
        )
    return found


def _copy_sqlite(source: Path, target: Path) -> None:
    """Copy page by page; writers of the source go on, and the target is changed in one transaction."""
    os.close(os.open(target, os.O_RDWR | os.O_CREAT, 0o600))
    with closing(sqlite3.connect(source, timeout=60)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _drop_all(database: Database) -> None:
    with database.transaction() as session:
        for name in _VIEWS:
            session.execute(text(f"DROP VIEW IF EXISTS {name}"))
        for name in (*TABLES.tables, "alembic_version"):
            session.execute(text(f'DROP TABLE IF EXISTS "{name}" CASCADE'))
        for name in _FUNCTIONS:
            session.execute(text(f"DROP FUNCTION IF EXISTS {name}"))


def _run(program: str, url: URL, *arguments: str) -> None:
    found = require_program(program)
    place = make_conninfo(host=url.host, port=url.port, user=url.username, dbname=url.database)
    place = make_conninfo(place, **{name: str(value) for name, value in url.query.items()})
    # A password on the command line could be read by all users of the machine.
    environment = {**os.environ, **({"PGPASSWORD": str(url.password)} if url.password else {})}
    command = [found, f"--dbname={place}", *arguments]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        words = " ".join(ended.stderr.split())
        raise UnavailableError("program_failed", f"{program} refused: {words}")
