"""Fixtures: a server of one's own for each test, and the command line that talks to it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from search_server.client.cli import app
from tests.client.served import Served, serve

Edgenas = Callable[..., Result]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A running server with an empty database."""
    with serve(tmp_path) as running:
        yield running


@pytest.fixture
def edgenas(served: Served) -> Edgenas:
    """Runs the command line against the server; returns exit code, stdout and stderr."""
    environment = {"EDGENAS_SERVER_URL": served.url, "EDGENAS_TOKEN": served.token, "COLUMNS": "160"}

    def run(*arguments: str, input_text: str | None = None) -> Result:
        return CliRunner().invoke(app, arguments, env=environment, input=input_text)

    return run
