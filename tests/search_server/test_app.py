"""The app as uvicorn runs it: background tasks start and end with it."""

import asyncio
from pathlib import Path

import pytest

from search_server.app import create_app, end_waiting
from search_server.clock import utc_now
from search_server.db.session import Database
from search_server.resources.tables import ProfileCreate
from search_server.settings import Settings
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice

pytestmark = pytest.mark.anyio


async def test_lifespan_starts_and_ends(database: Database, database_url: str, tmp_path: Path) -> None:
    app = create_app(Settings(data=tmp_path, database_url=database_url), utc_now, poll_s=0.01)
    async with app.router.lifespan_context(app):
        with database.reading():
            pass


async def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edgenas.toml").write_text('port = 9000\nagent_networks = ["10.0.0.0/8"]\n')
    monkeypatch.setenv("EDGENAS_PORT", "9001")
    settings = Settings(host="0.0.0.0")
    assert (settings.host, settings.port) == ("0.0.0.0", 9001)
    assert [str(network) for network in settings.agent_networks] == ["10.0.0.0/8"]
    assert settings.url == f"sqlite:///{tmp_path}/.edgenas/edgenas.db"


async def test_stopping_ends_polls_and_streams(api: Api, device: SyntheticDevice) -> None:
    create = ProfileCreate("raspi", "fbnet-tiny", SIMULATED)
    job_id = (await api.post("/profiles", create))["job"]["job_id"]
    assert await device.lease() is not None
    poll = asyncio.create_task(device.lease(wait_s=30))
    stream = asyncio.create_task(api.send("GET", f"/profiles/{job_id}/events", timeout=30))
    while not api.app.state.context.bell.waiting_devices():
        await asyncio.sleep(0)
    end_waiting(api.app)
    assert await poll is None
    assert "event: job" in (await stream).text
