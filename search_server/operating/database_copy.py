"""A consistent copy of the database while others write to it, and the way back.

SQLite is copied by its own backup interface, PostgreSQL by ``pg_dump``, ``pg_restore`` and ``psql``.
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

_DROP_ALL = "; ".join(
    (
        "DROP VIEW IF EXISTS node_latencies",
        *(f'DROP TABLE IF EXISTS "{name}" CASCADE' for name in (*TABLES.tables, "alembic_version")),
        "DROP FUNCTION IF EXISTS audit_is_kept",  # of a trigger
    )
)
"""Of all that migrations make, in PostgreSQL."""


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
        url = database.engine.url
        arguments = ("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={state}")
        _run("pg_dump", _place(url), *arguments, f"--file={target}", url=url)
        yield session


def replace_database(database: Database, source: Path) -> None:
    """Put a copy in the place of what the database holds, all of it or nothing.

    Args:
        database: of the copy's kind.
        source: the copy; in its folder there is room for the same as SQL.

    Raises:
        UnavailableError: a program of PostgreSQL is missing or refuses, or another process holds the
            database. It holds what it held before.
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
    # pg_restore alone would need the old tables out of the way first, in a transaction of their own.
    script = source.with_suffix(".sql")
    _run("pg_restore", "--no-owner", "--no-privileges", f"--file={script}", str(source))
    arguments = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction")
    url = database.engine.url
    _run("psql", _place(url), *arguments, f"--command={_DROP_ALL}", f"--file={script}", url=url)


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


def _place(url: URL) -> str:
    """Return the argument that says where a database is, without its password."""
    place = make_conninfo(host=url.host, port=url.port, user=url.username, dbname=url.database)
    return "--dbname=" + make_conninfo(place, **{name: str(value) for name, value in url.query.items()})


def _run(program: str, *arguments: str, url: URL | None = None) -> None:
    # A password on the command line could be read by all users of the machine.
    secret = {"PGPASSWORD": str(url.password)} if url is not None and url.password else {}
    ended = subprocess.run(
        [require_program(program), *arguments],
        env={**os.environ, **secret},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        words = " ".join(ended.stderr.split())
        raise UnavailableError("program_failed", f"{program} refused: {words}")
