"""Real databases built by the real migrations, an app on each, and clients with real tokens."""

import atexit
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import create_engine, text

from search_server.app import create_app, equip_app
from search_server.db.migrate import migrate_to_head
from search_server.db.session import Database
from search_server.settings import Settings
from search_server.tokens import Scope, create_token
from tests.search_server.api import Api
from tests.search_server.object_store import start_s3
from tests.search_server.postgres import start_postgres
from tests.search_server.synthetic import SyntheticDevice

# Workers of pytest-xdist set these, and a console that is made under them keeps its width.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)
os.environ["EDGENAS_DEMO_PORT"] = "0"  # demos of several workers must not meet at one port

MAX_REQUEST_BYTES = 4_000_000


@atexit.register
def silence_farewells() -> None:
    """Let pytest's closing line be the last: LiteRT's library speaks on stderr as the process ends."""
    if "ai_edge_litert" in sys.modules:
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        # A microsecond a look, so that identifiers keep the order in which things were made.
        self.time += timedelta(microseconds=1)
        return self.time

    def pass_s(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    database = Database(f"sqlite:///{path}")
    migrate_to_head(database.engine)
    database.close()
    return path


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """A folder in a bucket of S3; one service for a whole process, since fsspec keeps its connections."""
    with start_s3() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server with a migrated database called ``template``."""
    with start_postgres() as url:
        _execute(url, "CREATE DATABASE template")
        database = Database(_database_url(url, "template"))
        migrate_to_head(database.engine)
        database.close()
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Both databases; a module whose subject does not touch SQL overrides this with one."""
    kind: str = request.param
    return kind


@pytest.fixture
def database_url(
    request: pytest.FixtureRequest, database_kind: str, tmp_path: Path, sqlite_template: Path
) -> Iterator[str]:
    """A database of its own for each test."""
    if database_kind == "sqlite":
        path = tmp_path / "edgenas.db"
        shutil.copy(sqlite_template, path)
        yield f"sqlite:///{path}"
        return
    url = request.getfixturevalue("postgres_url")
    name = f"test_{tmp_path.name}".lower().replace("-", "_")[:60]
    _execute(url, f'CREATE DATABASE "{name}" TEMPLATE template')
    yield _database_url(url, name)
    _execute(url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The test's own connections, apart from the app's."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture(scope="session")
def shared_app(sqlite_template: Path) -> FastAPI:
    """The app with its routes, which take longer to build than a test to run."""
    url = f"sqlite:///{sqlite_template}"
    return create_app(Settings(database_url=url, max_request_bytes=MAX_REQUEST_BYTES))


@pytest.fixture
async def api(
    shared_app: FastAPI, database_url: str, database: Database, tmp_path: Path, clock: Clock
) -> AsyncIterator[Api]:
    """The app on the test's own database, and how to talk to it."""
    settings = Settings(
        data=tmp_path / "data", database_url=database_url, max_queued_jobs=14, data_roots=(tmp_path,)
    )
    settings.data.mkdir(exist_ok=True)
    equip_app(shared_app, settings, clock, poll_s=0.01)

    def make_token(scope: Scope, ttl: timedelta | None) -> str:
        with database.transaction() as session:
            return create_token(session, scope, clock(), ttl)

    transport = httpx.ASGITransport(shared_app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v1") as http:
        yield Api(shared_app, http, make_token)
    shared_app.state.database.close()


@pytest.fixture
async def device(api: Api) -> SyntheticDevice:
    """An enrolled device called ``raspi``."""
    return await SyntheticDevice.enrol(api, "raspi")


def _execute(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def _database_url(url: str, name: str) -> str:
    return url.replace("/postgres?", f"/{name}?")
