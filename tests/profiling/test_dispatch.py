"""The server calls agents that listen, and only where it is allowed to."""

import socket
from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_network

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from search_server.db.session import Database
from search_server.leases.agent_address import PinnedTransport, require_allowed, resolve_agent
from search_server.leases.leases import MAX_HAND_OUTS
from search_server.profiling.dispatch import Dispatcher
from search_server.resources.devices import DeviceUpdate
from search_server.resources.latencies import MeasurementCreate
from shared.protocol.call_agent import AgentClient, AgentError
from shared.protocol.device import Environment
from shared.protocol.measurement import AgentState, Lease
from shared.protocol.wire import ErrorBody, from_json, to_dict, to_json
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import device_facts, lease_results

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


LOOPBACK = (ip_network("127.0.0.0/8"),)


def tiny_agent() -> FastAPI:
    """The smallest agent: keeps files, answers leases with the synthetic device's results."""
    agent = FastAPI()
    agent.state.files = {}
    agent.state.hosts = []
    agent.state.now = AgentState()
    agent.state.refusal = None

    @agent.get("/v1/device")
    def device(request: Request) -> object:
        agent.state.hosts.append((request.headers["host"], request.headers["authorization"]))
        return to_dict(device_facts("raspi"))

    @agent.get("/v1/state")
    def state() -> object:
        return to_dict(agent.state.now) if agent.state.now else Response(status_code=404)

    @agent.head("/v1/artifacts/{sha256}")
    def head(sha256: str) -> Response:
        return Response(status_code=200 if sha256 in agent.state.files else 404)

    @agent.put("/v1/artifacts/{sha256}", status_code=204)
    async def put(sha256: str, request: Request) -> None:
        agent.state.files[sha256] = await request.body()

    @agent.post("/v1/leases")
    async def run(request: Request) -> Response:
        lease = from_json(await request.body(), Lease)
        if agent.state.refusal is not None:
            error = ErrorBody("not_now", "Service Unavailable", agent.state.refusal, "waits for: night")
            return Response(to_json(error), agent.state.refusal)

        async def lines() -> AsyncIterator[str]:
            for result in lease_results(lease):
                yield to_json(result) + "\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    return agent


@pytest.mark.usefixtures("device")
async def test_listening_agent_is_called(api: Api, database: Database, clock: Clock) -> None:
    agent = tiny_agent()
    change = DeviceUpdate(agent_url="http://localhost:8765", agent_token="t" * 32)
    await api.send("PATCH", "/devices/raspi", change)
    dispatcher = Dispatcher(
        database, api.app.state.context.store, LOOPBACK, clock, lambda: httpx.ASGITransport(agent)
    )
    job = await api.post("/measurements", MeasurementCreate("raspi", "fbnet-tiny", ("k3_e1",)))
    for _ in range(2):
        (target,) = dispatcher.due_targets()
        await dispatcher.call(target)
    assert dispatcher.due_targets() == []
    done = await api.get(f"/measurements/{job['job']['job_id']}")
    assert done["job"]["status"] == "done"
    assert len(agent.state.files) == 2
    assert set(agent.state.hosts) == {("localhost:8765", "Bearer " + "t" * 32)}
    clock.pass_s(31)
    assert [target.name for target in dispatcher.due_targets()] == ["raspi"]


async def called(api: Api, database: Database, clock: Clock, agent: FastAPI) -> tuple[Dispatcher, str]:
    """Return a dispatcher that calls an agent, and the path of a job for it."""
    change = DeviceUpdate(agent_url="http://localhost:8765", agent_token="t" * 32)
    await api.send("PATCH", "/devices/raspi", change)
    store = api.app.state.context.store
    dispatcher = Dispatcher(database, store, LOOPBACK, clock, lambda: httpx.ASGITransport(agent))
    job = await api.post("/measurements", MeasurementCreate("raspi", "fbnet-tiny", ("k3_e1",)))
    return dispatcher, f"/measurements/{job['job']['job_id']}"


async def call_due(dispatcher: Dispatcher) -> int:
    targets = dispatcher.due_targets()
    for target in targets:
        await dispatcher.call(target)
    return len(targets)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize(
    ("now", "waits_for"),
    [
        (AgentState(Environment(load_1m=1.5), "charging"), "charging"),
        (AgentState(Environment(load_1m=1.5), lease_id="by-hand"), "the lease of another caller to end"),
    ],
)
async def test_a_listening_agent_that_is_not_lent_now_is_asked_again_later(
    api: Api, database: Database, clock: Clock, now: AgentState, waits_for: str
) -> None:
    agent = tiny_agent()
    agent.state.now = now
    dispatcher, path = await called(api, database, clock, agent)
    assert await call_due(dispatcher) == 1
    device = await api.get("/devices/raspi")
    assert (device["waiting_for"], device["environment"]["load_1m"]) == (waits_for, 1.5)
    job = (await api.get(path))["job"]
    assert (job["status"], job["message"]) == (
        "queued",
        f"waiting for device raspi, which waits for: {waits_for}",
    )
    assert await call_due(dispatcher) == 0  # it is not pestered
    clock.pass_s(31)
    agent.state.now = AgentState()
    while await call_due(dispatcher):
        pass
    assert (await api.get(path))["job"]["status"] == "done"


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("refusal", [409, 503])
async def test_a_lease_that_a_listening_agent_does_not_take_now_is_queued_again(
    api: Api, database: Database, clock: Clock, refusal: int
) -> None:
    agent = tiny_agent()
    agent.state.refusal = refusal
    dispatcher, path = await called(api, database, clock, agent)
    for _ in range(MAX_HAND_OUTS + 1):  # a lease that expired so often would have failed its job
        assert await call_due(dispatcher) == 1
        assert await call_due(dispatcher) == 0
        clock.pass_s(31)
    assert (await api.get("/devices/raspi"))["waiting_for"] == "waits for: night"
    agent.state.refusal = None
    while await call_due(dispatcher):
        pass
    assert (await api.get(path))["job"]["status"] == "done"


@pytest.mark.usefixtures("device")
async def test_a_listening_agent_from_before_its_state_could_be_asked_is_lent(
    api: Api, database: Database, clock: Clock
) -> None:
    agent = tiny_agent()
    agent.state.now = None
    dispatcher, path = await called(api, database, clock, agent)
    while await call_due(dispatcher):
        pass
    assert (await api.get(path))["job"]["status"] == "done"


@pytest.mark.usefixtures("device")
async def test_agent_outside_the_networks_is_never_called(
    api: Api, database: Database, clock: Clock
) -> None:
    agent = tiny_agent()
    change = DeviceUpdate(agent_url="http://127.0.0.1:8765", agent_token="t" * 32)
    await api.send("PATCH", "/devices/raspi", change)
    dispatcher = Dispatcher(
        database, api.app.state.context.store, (), clock, lambda: httpx.ASGITransport(agent)
    )
    await api.post("/measurements", MeasurementCreate("raspi", "fbnet-tiny", ("k3_e1",)))
    (target,) = dispatcher.due_targets()
    await dispatcher.call(target)
    assert agent.state.hosts == []


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.1.1",
        "fe80::1",
        "::ffff:169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "fd00:ec2::254",
    ],
)
async def test_some_addresses_are_never_allowed(address: str) -> None:
    everything = (ip_network("0.0.0.0/0"), ip_network("::/0"))
    with pytest.raises(AgentError, match="never called"):
        require_allowed(ip_address(address), everything)


async def test_address_must_lie_in_an_allowed_network() -> None:
    require_allowed(ip_address("10.1.2.3"), (ip_network("10.0.0.0/8"),))
    require_allowed(ip_address("::ffff:10.1.2.3"), (ip_network("10.0.0.0/8"),))
    with pytest.raises(AgentError, match="EDGENAS_AGENT_NETWORKS"):
        require_allowed(ip_address("192.168.1.2"), (ip_network("10.0.0.0/8"),))


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1",
        "http://",
        "http://user:pw@127.0.0.1",
        "http://127.0.0.1:70000",
    ],
)
async def test_only_plain_http_urls(url: str) -> None:
    with pytest.raises(AgentError, match="agent_url must look like http"):
        await resolve_agent(url, LOOPBACK)


async def test_redirect_leads_nowhere() -> None:
    agent = FastAPI()

    @agent.get("/v1/device")
    def device() -> RedirectResponse:
        return RedirectResponse("http://169.254.169.254/")

    transport = PinnedTransport(ip_address("127.0.0.1"), httpx.ASGITransport(agent))
    async with httpx.AsyncClient(transport=transport) as http:
        with pytest.raises(AgentError, match="refused \\(307\\)"):
            await AgentClient("http://agent", "t", http).device()


async def test_long_answer_is_cut_off() -> None:
    agent = FastAPI()

    @agent.get("/v1/device")
    def device() -> Response:
        return Response(b"x" * 2_000_000)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(agent)) as http:
        with pytest.raises(AgentError, match="more than"):
            await AgentClient("http://agent", "t", http).device()


async def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with httpx.AsyncClient() as http:
            with pytest.raises(AgentError, match="cannot be reached"):
                await AgentClient(url, "t", http).device()
