"""The migrations give exactly the tables of the models."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from search_server.db.migrate import is_at_head, migrate_to_head
from search_server.db.models import TABLES
from search_server.db.session import Database
from search_server.errors import UnavailableError
from search_server.readiness import require_ready


def test_migrations_equal_models(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, TABLES) == []


def test_migrating_twice_changes_nothing(database: Database) -> None:
    migrate_to_head(database.engine)
    assert is_at_head(database.engine)
    require_ready(database)


def test_empty_database_is_refused(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(UnavailableError, match="search-server migrate"):
        require_ready(database)
    database.close()
