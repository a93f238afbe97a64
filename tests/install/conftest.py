"""A server as a process of its own: what it serves is what devices fetch."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_services import free_port, start, stop, wait_until_ready


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The server's address; its data lie in ``tmp_path``."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = start(
        "search-server", "serve", "--port", str(port), "--data", str(tmp_path), log=tmp_path / "server.log"
    )
    try:
        wait_until_ready(url, process)
        yield url
    finally:
        stop([process])
