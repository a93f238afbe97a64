"""Server and agent joined in-process: real routes, real database, real measurement, no network."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from profiler_agent.agent import AgentCore
from profiler_agent.carriers.backoff import Backoff
from profiler_agent.carriers.dial_out import DialOut
from profiler_agent.carriers.spool import Spool
from profiler_agent.facts.device import read_device
from profiler_agent.runtimes import available_runtimes
from search_server.app import create_app
from search_server.client import AsyncSearchClient
from search_server.client.errors import ServerRefusedError
from search_server.clock import utc_now
from search_server.db.migrate import migrate_to_head
from search_server.db.session import Database
from search_server.resources.latencies import MeasurementCreate, PredictionCreate
from search_server.resources.tables import ProfileCreate
from search_server.settings import Settings
from search_server.tokens import create_token
from shared.protocol.call_server import ServerClient
from shared.protocol.device import DeviceCreate

SPACE = "fbnet-tiny:width=0.5,resolution=16"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class ServedTransport(httpx.ASGITransport):
    """Finishes a request whose client hangs up, as a server across a network does.

    An agent cancels its last heartbeat. Without a network between, that would cancel the route while a
    thread works in its transaction, and leave the database locked.
    """

    def __init__(self, app: FastAPI) -> None:
        super().__init__(app)
        self._served: set[asyncio.Task[httpx.Response]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        served = asyncio.create_task(super().handle_async_request(request))
        self._served.add(served)
        served.add_done_callback(self._served.discard)
        return await asyncio.shield(served)

    async def aclose(self) -> None:
        await asyncio.gather(*self._served, return_exceptions=True)


@asynccontextmanager
async def agent_dialled_in(transport: ServedTransport, token: str, folder: Path) -> AsyncIterator[None]:
    """Enrol this machine and let its agent work until the block ends."""
    facts = read_device("here", available_runtimes())
    async with ServerClient("http://server", http=httpx.AsyncClient(transport=transport)) as enrolling:
        credential = await enrolling.enrol(token, DeviceCreate(facts))
    http = httpx.AsyncClient(transport=transport, timeout=60)
    async with ServerClient("http://server", credential.token, http) as client:
        drain = asyncio.Event()
        core = AgentCore(folder, credential.device_id)
        backoff = Backoff(random.Random(0))
        work = asyncio.create_task(
            DialOut(core, client, Spool(folder / "spool"), drain, backoff, 1.0).run()
        )
        yield
        drain.set()
        await work


@asynccontextmanager
async def joined(folder: Path) -> AsyncIterator[AsyncSearchClient]:
    """Yield a user's client of a server into which this machine's agent has dialled."""
    url = f"sqlite:///{folder / 'edgenas.db'}"
    database = Database(url)
    migrate_to_head(database.engine)
    with database.transaction() as session:
        user, enrol = (create_token(session, scope, utc_now(), None) for scope in ("user", "enrol"))
    database.close()
    app = create_app(Settings(data=folder / "data", database_url=url), poll_s=0.02)
    transport = ServedTransport(app)
    async with (
        app.router.lifespan_context(app),
        agent_dialled_in(transport, enrol, folder / "agent"),
        AsyncSearchClient("http://server", user, transport=transport) as client,
    ):
        yield client


@pytest.mark.anyio
async def test_a_network_is_measured_from_rest_to_runtime_and_back(tmp_path: Path) -> None:
    async with joined(tmp_path) as client:
        devices = [device async for device in client.devices()]
        assert [(device.name, device.is_online) for device in devices] == [("here", True)]
        networks = ("k3_e3", "k5_e6")
        measurement = await client.start_measurement(MeasurementCreate("here", SPACE, networks))
        async for event in client.measurement_events(measurement.job.job_id):
            measurement = event
    assert measurement.job.status == "done", measurement.job.message
    anchor, large = measurement.latencies
    assert anchor.latency_us == pytest.approx(anchor.raw_latency_us, rel=0.5)
    assert large.latency_us > anchor.latency_us
    assert large.low_us is not None
    assert large.high_us is not None
    assert large.low_us < large.latency_us < large.high_us
    assert not large.is_simulated


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_profile_ends_in_a_table_that_predicts_or_in_reasons(tmp_path: Path) -> None:
    async with joined(tmp_path) as client:
        started = await client.start_profile(ProfileCreate("here", SPACE))
        told = [profile async for profile in client.profile_events(started.job.job_id)]
        profile = told[-1]
        if profile.snapshot is None:  # a machine too busy for any table
            assert profile.job.status == "failed"
            assert (
                "no usable measurement of" in profile.job.message
                or "gave no numbers" in profile.job.message
            )
            return
        table = await client.table(profile.snapshot)
        verdict = table.summary.verdict
        assert verdict is not None
        assert table.summary.num_measured == table.summary.num_entries
        asked = PredictionCreate("here", SPACE, ("k3_e3", "k5_e6"))
        if not verdict.is_accepted:
            assert profile.job.status == "failed"
            assert all(reason in profile.job.message for reason in verdict.reasons)
            with pytest.raises(ServerRefusedError):
                await client.predict(asked)
            asked = replace(asked, snapshot=profile.snapshot)
        anchor, large = await client.predict(asked)
    assert (anchor.snapshot, large.snapshot) == (profile.snapshot, profile.snapshot)
    assert 0 < anchor.latency_us < large.latency_us
