"""How Alembic reaches the database: over the connection it is given, or from EDGENAS_DATABASE_URL.

``alembic upgrade head --sql`` prints the statements without a database.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from alembic import context
from sqlalchemy import Connection

from search_server.db.models import TABLES
from search_server.db.session import Database


def _migrate(connection: Connection) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    context.configure(connection=connection, target_metadata=TABLES, render_as_batch=is_sqlite)
    with _rebuildable(connection) if is_sqlite else nullcontext(), context.begin_transaction():
        context.run_migrations()


@contextmanager
def _rebuildable(connection: Connection) -> Iterator[None]:
    """Let migrations rebuild tables that others refer to: SQLite changes most columns in no other way.

    The steps are those of https://sqlite.org/lang_altertable.html#otheralter.
    """
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys=OFF")  # has no effect within a transaction, so it comes before
    try:
        yield
        broken = driver.execute("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise RuntimeError(f"the migration left rows that refer to nothing: {broken[:5]}")
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def _url() -> str:
    url = context.config.get_main_option("sqlalchemy.url") or os.environ.get("EDGENAS_DATABASE_URL")
    if not url:
        raise SystemExit("set EDGENAS_DATABASE_URL to the database, such as sqlite:///.edgenas/edgenas.db")
    return url


if context.is_offline_mode():
    context.configure(url=_url(), target_metadata=TABLES, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
elif (given := context.config.attributes.get("connection")) is not None:
    _migrate(given)
else:
    database = Database(_url())
    with database.engine.connect() as opened:
        _migrate(opened)
    database.close()
