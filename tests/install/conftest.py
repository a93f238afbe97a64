"""A server as a process of its own: what it serves is what devices fetch."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_services import running_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The server's address; its data lie in ``tmp_path``."""
    with running_server(tmp_path) as url:
        yield url
