"""What the log says of an exception: the traceback, without the values of local variables."""

import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path

import httpx
import pytest
import structlog
from fastapi import FastAPI

from search_server.logs import LogFormat, configure_logs
from search_server.opening import read_settings
from search_server.resources.tables import ProfileCreate
from search_server.routes.error_answers import install_error_handler
from search_server.routes.request_ids import RequestIds
from shared.protocol.wire import ErrorBody, from_json
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice

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
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def failing_app() -> FastAPI:
    app = FastAPI()
    app.add_middleware(RequestIds)
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
            answer = await http.get("/fails", headers={"X-Request-ID": "from-a-proxy"})
    error = from_json(answer.content, ErrorBody)
    assert (answer.status_code, error.type) == (500, "internal_error")
    assert "luck" not in error.detail
    logged = stderr.getvalue()
    assert "Traceback (most recent call last)" in logged
    assert "RuntimeError: out of luck with 10 characters" in logged
    assert "edg_secret" not in logged
    assert answer.headers["X-Request-ID"] == "from-a-proxy"
    assert "from-a-proxy" in error.detail
    assert "from-a-proxy" in logged


@pytest.mark.usefixtures("default_logs")
def test_lines_are_json_that_names_what_is_bound_also_those_of_libraries() -> None:
    with redirect_stderr(Stderr(is_terminal=False)) as stderr:
        configure_logs()
        structlog.contextvars.bind_contextvars(job="job_1", request="r1")
        structlog.get_logger().info("ours")
        logging.getLogger("a.library").warning("theirs %d", 7)
        logging.getLogger("a.library").info("too low")
    ours, theirs = (json.loads(line) for line in stderr.getvalue().splitlines())
    assert [(line["job"], line["request"]) for line in (ours, theirs)] == [("job_1", "r1")] * 2
    assert (ours["event"], ours["level"]) == ("ours", "info")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("theirs 7", "warning", "a.library")


@pytest.mark.usefixtures("default_logs")
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_of_a_token_is_written(log_format: LogFormat) -> None:
    secret = "Zm9vYmFyLV9mb29iYXI"
    token = f"edg_user_3f9a2c01d4e5_{secret}"
    with redirect_stderr(Stderr(is_terminal=False)) as stderr:
        configure_logs(log_format=log_format)
        structlog.get_logger().info(f"shown {token}", header={"Authorization": f"Bearer {token}"})
        logging.getLogger("a.library").error("failed with %s", token)
        try:
            raise ValueError(token)
        except ValueError:
            structlog.get_logger().exception("failed")
    assert secret not in stderr.getvalue()
    assert stderr.getvalue().count("edg_user_3f9a2c01d4e5_...") >= 4


@pytest.mark.usefixtures("default_logs")
def test_the_level_is_a_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGENAS_LOG_LEVEL", "warning")
    monkeypatch.setenv("EDGENAS_LOG_FORMAT", "text")
    with redirect_stderr(Stderr(is_terminal=False)) as stderr:
        read_settings(None)
        structlog.get_logger().info("not written")
        structlog.get_logger().warning("written")
    (line,) = stderr.getvalue().splitlines()
    assert "[warning  ] written" in line
    monkeypatch.setenv("EDGENAS_LOG_LEVEL", "loud")
    with pytest.raises(ValueError, match="EDGENAS_LOG_LEVEL is wrong: input should be 'debug', 'info'"):
        read_settings(None)


@pytest.mark.parametrize("given", ["", "with space", "a" * 65, "line\\n", "\u00e9"])
async def test_an_odd_request_id_is_replaced(given: str) -> None:
    app = failing_app()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        answer = await http.get("/nothing", headers={b"X-Request-ID": given.encode("latin-1")})
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-ID"])
    structlog.contextvars.clear_contextvars()


async def test_a_job_is_named_in_the_lines_of_its_requests(api: Api, device: SyntheticDevice) -> None:
    created = await api.send("POST", "/profiles", ProfileCreate(device.name, "fbnet-tiny", SIMULATED))
    job_id = created.json()["job"]["job_id"]
    await api.send("POST", f"/profiles/{job_id}/cancel", headers={"X-Request-ID": "mine"})
    bound = structlog.contextvars.get_contextvars()
    assert (bound["request"], bound["job"]) == ("mine", job_id)
    structlog.contextvars.clear_contextvars()
