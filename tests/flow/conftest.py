"""Flows run their searches with one thread of torch, some on the table of a device without an agent."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from search_server.db.migrate import migrate_to_head
from search_server.db.session import Database
from search_server.latency.stored.imports import import_table
from tests.flow.shelf import NOW, SPACE
from tests.search_server.tables import known_table


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """These networks are too small for more."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(num_threads)


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Database]:
    """A database with a device without an agent, and its table of ``tests.flow.shelf.SPACE``."""
    database = Database(f"sqlite:///{tmp_path / 'edgenas.db'}")
    migrate_to_head(database.engine)
    with database.transaction() as session:
        content = known_table("", SPACE.name).to_json().encode()
        import_table(session, content, "json", "shelf", None, NOW)
    yield database
    database.close()
