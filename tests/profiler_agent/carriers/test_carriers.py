"""One contract, two carriers: the same lease gives the same kind of results over either."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import httpx

from profiler_agent.agent import AgentCore
from profiler_agent.carriers.backoff import Backoff
from profiler_agent.carriers.dial_out import DialOut
from profiler_agent.carriers.listen import create_app
from profiler_agent.carriers.spool import Spool
from shared.protocol.call_server import ServerClient
from shared.protocol.measurement import Lease, Result
from shared.protocol.wire import from_json, to_json
from tests.profiler_agent.leases import (
    ARTIFACT,
    MODEL,
    agent_core,
    odd_lease,
    real_lease,
    tell_phone,
)
from tests.profiler_agent.tiny_server import TOKEN, URL, TinyServer


class CarrierContract(ABC):
    @abstractmethod
    async def carry(self, core: AgentCore, lease: Lease, folder: Path) -> Sequence[Result]:
        """Bring a lease to an agent and return what comes back."""

    def results(self, core: AgentCore, lease: Lease, folder: Path) -> dict[str, Result]:
        results = asyncio.run(self.carry(core, lease, folder))
        assert len(results) == len(lease.items)
        assert {(r.lease_id, r.fence) for r in results} == {(lease.lease_id, lease.fence)}
        assert core.lease_id is None
        return {result.item_id: result for result in results}

    def test_measures(self, tmp_path: Path) -> None:
        results = self.results(agent_core(tmp_path), real_lease("a", "b"), tmp_path)
        for result in results.values():
            assert result.status == "ok"
            assert len(result.runs.wall_us) >= 2
            assert len(result.profiled_wall_us) >= 2
            assert result.runtime_version
            assert result.agent_version
            assert result.started_at

    def test_refuses_for_another_device(self, tmp_path: Path) -> None:
        (result,) = self.results(
            agent_core(tmp_path), real_lease("a", device_id="tablet"), tmp_path
        ).values()
        assert result.status == "unsupported"
        assert "tablet" in (result.reason or "")

    def test_refuses_an_item(self, tmp_path: Path) -> None:
        results = self.results(agent_core(tmp_path, is_odd=True), odd_lease("fine", "refused"), tmp_path)
        assert (results["fine"].status, results["refused"].status) == ("ok", "unsupported")
        assert results["refused"].reason == "not this one"

    def test_survives_a_crash(self, tmp_path: Path) -> None:
        results = self.results(agent_core(tmp_path, is_odd=True), odd_lease("crash", "fine"), tmp_path)
        assert {result.status for result in results.values()} == {"error"}
        assert "SIGABRT" in (results["crash"].reason or "")


class TestServe(CarrierContract):
    async def carry(self, core: AgentCore, lease: Lease, folder: Path) -> Sequence[Result]:
        token = "edg_agent_" + "x" * 40
        app = create_app(core, tell_phone, token)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://agent", headers=headers
        ) as client:
            await client.put(f"/v1/artifacts/{ARTIFACT.sha256}", content=MODEL)
            response = await client.post("/v1/leases", content=to_json(lease))
        return [from_json(line, Result) for line in response.text.splitlines()]


class TestDialOut(CarrierContract):
    async def carry(self, core: AgentCore, lease: Lease, folder: Path) -> Sequence[Result]:
        server = TinyServer()
        server.leases.append(lease)
        server.artifacts[ARTIFACT.sha256] = MODEL
        drain = asyncio.Event()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(server.app)) as http:
            client = ServerClient(URL, TOKEN, http)
            spool = Spool(folder / "spool")
            dial_out = DialOut(core, client, spool, drain, Backoff(random.Random(0)), wait_s=0)
            agent = asyncio.create_task(dial_out.run())
            await server.until(lambda: len(server.results) == len(lease.items))
            drain.set()
            await agent
        return list(server.results.values())
