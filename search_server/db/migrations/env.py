"""How Alembic reaches the database: over the connection it is given, or from EDGENAS_DATABASE_URL.

``alembic upgrade head --sql`` prints the statements without a database.
"""

import os

from alembic import context
from sqlalchemy import Connection

from search_server.db.models import TABLES
from search_server.db.session import Database


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=TABLES,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


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
