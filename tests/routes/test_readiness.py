"""A server is ready only if it can do its work."""

from pathlib import Path

import pytest

from search_server.app import end_waiting
from search_server.db.session import Database
from tests.search_server.api import Api
from tests.search_server.outages import away

pytestmark = pytest.mark.anyio


async def test_a_server_that_stops_is_alive_and_not_ready(api: Api) -> None:
    assert (await api.http.get("/readyz")).status_code == 200
    end_waiting(api.app)
    assert (await api.http.get("/healthz")).status_code == 200
    assert (await api.refused("GET", "/readyz")).type == "stopping"


async def test_without_its_data_folder_it_is_not_ready(api: Api) -> None:
    data_dir: Path = api.app.state.context.data_dir
    data_dir.rename(data_dir.with_name("elsewhere"))
    error = await api.refused("GET", "/readyz")
    assert (error.status, error.type) == (503, "no_data_folder")


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_without_its_database_it_is_not_ready(api: Api, database: Database) -> None:
    assert (await api.http.get("/readyz")).status_code == 200
    with away(database):
        assert (await api.http.get("/readyz")).status_code == 503
        assert (await api.http.get("/healthz")).status_code == 200
    assert (await api.http.get("/readyz")).status_code == 200
