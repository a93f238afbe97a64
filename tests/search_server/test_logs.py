"""What the log says of an exception: the traceback, without the values of local variables."""

import io
from collections.abc import Iterator
from contextlib import redirect_stderr

import httpx
import pytest
import structlog
from fastapi import FastAPI

from search_server.logs import configure_logs
from search_server.routes.error_answers import install_error_handler
from shared.protocol.wire import ErrorBody, from_json

pytestmark = pytest.mark.anyio


class Stderr(io.StringIO):
    """Where logs go in these tests."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.fixture
def default_logs() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def failing_app() -> FastAPI:
    app = FastAPI()
    install_error_handler(app)

    @app.get("/fails")
    def fail() -> None:
        token = "edg_" + "secret"
        raise RuntimeError(f"out of luck with {len(token)} characters")

    return app


@pytest.mark.usefixtures("default_logs")
@pytest.mark.parametrize("is_terminal", [True, False])
async def test_an_unforeseen_error_is_logged_without_locals_and_answered(is_terminal: bool) -> None:
    transport = httpx.ASGITransport(failing_app(), raise_app_exceptions=False)
    with redirect_stderr(Stderr(is_terminal)) as stderr:
        configure_logs()
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            answer = await http.get("/fails")
    error = from_json(answer.content, ErrorBody)
    assert (answer.status_code, error.type) == (500, "internal_error")
    assert "luck" not in error.detail
    logged = stderr.getvalue()
    assert "Traceback (most recent call last)" in logged
    assert "RuntimeError: out of luck with 10 characters" in logged
    assert "edg_secret" not in logged
