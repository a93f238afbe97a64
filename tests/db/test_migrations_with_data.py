"""Migrations go up and down over a database that is in use, and nothing is lost on the way."""

import hashlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from search_server.db.migrate import is_at_head, migrate_to_head
from search_server.db.models import TABLES
from search_server.db.session import Database
from tests.db.stored_rows import common, fill, rows_of

HERE = Path(__file__).parent


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.engine.connect() as connection:
        yield connection


def config_of(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("search_server.db") / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def revisions(config: Config) -> list[str]:
    """Return all of them, the newest first."""
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]


def test_every_table_is_filled_and_each_step_keeps_what_both_sides_know(connection: Connection) -> None:
    config = config_of(connection)
    names = revisions(config)
    fill(connection)
    connection.commit()
    at_head = rows_of(connection)
    connection.commit()
    assert set(at_head) == set(TABLES.tables)
    assert all(at_head.values())
    for name in names[1:]:
        command.downgrade(config, name)
        rows = rows_of(connection)
        connection.commit()
        assert rows == common(at_head, rows), f"going down to {name}"
    lowest = rows_of(connection)
    connection.commit()
    for name in reversed(names[:-1]):
        command.upgrade(config, name)
        rows = rows_of(connection)
        connection.commit()
        assert common(rows, lowest) == lowest, f"going up to {name}"
    assert compare_metadata(MigrationContext.configure(connection), TABLES) == []


def test_going_all_the_way_down_leaves_nothing(connection: Connection) -> None:
    config = config_of(connection)
    fill(connection)
    connection.commit()
    command.downgrade(config, "base")
    assert inspect(connection).get_table_names() == ["alembic_version"]
    assert inspect(connection).get_view_names() == []


def test_a_database_of_an_older_version_is_brought_to_head(database: Database) -> None:
    """The dumps were made by the schema of revision 0004 and by the databases' own programs."""
    kind = database.engine.name
    with database.engine.connect() as connection:
        command.downgrade(config_of(connection), "base")
        connection.execute(text("DROP TABLE alembic_version"))
        connection.commit()
    load(database, (HERE / f"schema_0004.{kind}.sql").read_text())
    with database.engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == "0004"
        before = rows_of(connection)
    assert not is_at_head(database.engine)
    migrate_to_head(database.engine)
    assert is_at_head(database.engine)
    with database.engine.connect() as connection:
        after = rows_of(connection)
        assert compare_metadata(MigrationContext.configure(connection), TABLES) == []
    assert len(before) == 14
    assert all(len(rows) >= 1 for rows in before.values())
    assert common(after, before) == before
    for row in after["results"]:
        assert row["body_sha256"] == hashlib.sha256(row["body"]).hexdigest()


def load(database: Database, dump: str) -> None:
    """Run the statements of a dump."""
    raw = database.engine.raw_connection()
    try:
        if database.engine.name == "sqlite":
            script = f"{dump}PRAGMA foreign_keys=ON;"
            raw.driver_connection.executescript(script)  # type: ignore[union-attr]  # SQLite's own
        else:
            raw.cursor().execute(dump)
        raw.commit()
    finally:
        raw.close()
