"""Leases for agents that listen: the server calls them, reads their results and keeps the lease alive.

The same claim, renewal and ingestion as for an agent that dials out.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import httpx
import structlog
from sqlalchemy import exists, select
from starlette.concurrency import run_in_threadpool

from search_server.clock import Clock
from search_server.db.models import DeviceRow, LeaseRow
from search_server.db.outage import Outage, repeat_forever
from search_server.db.session import Database
from search_server.devices.registry import renew_facts, touch
from search_server.errors import ServerError
from search_server.leases.agent_address import Network, PinnedTransport, resolve_agent
from search_server.leases.artifacts import artifact_name
from search_server.leases.ingest import ingest_results
from search_server.leases.leases import HEARTBEAT_S, claim_lease, give_back_lease, renew_lease
from search_server.profiling.advance import advance_job
from search_server.store import Store
from shared.protocol.call_agent import AgentClient, AgentError, NotNowError
from shared.protocol.device import Device
from shared.protocol.measurement import AgentState, Lease, Result

PING_EVERY = timedelta(seconds=30)
"""An agent without work is asked so often whether it is there."""

OTHER_LEASE = "the lease of another caller to end"

_log = structlog.get_logger()

MakeTransport = Callable[[], httpx.AsyncBaseTransport]


@dataclass(frozen=True, slots=True)
class Target:
    """A device whose agent the server calls."""

    device_id: str
    name: str
    url: str
    token: str


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Calls agents in the networks that an operator allows."""

    database: Database
    store: Store
    networks: Sequence[Network]
    now: Clock
    make_transport: MakeTransport | None = None
    """Stands in for the network, below the address check."""

    async def run_forever(self, interval_s: float = 1.0) -> None:
        """Look for work and silent agents again and again; one call a device at a time."""
        calls: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:

            async def call_due() -> None:
                for target in await run_in_threadpool(self.due_targets):
                    if target.device_id not in calls or calls[target.device_id].done():
                        calls[target.device_id] = tasks.create_task(self.call(target))

            await repeat_forever("looking for agents to call", call_due, interval_s)

    def due_targets(self) -> list[Target]:
        """Return the devices to call: with work for them, or not heard of for a while.

        What its owner does not lend now is asked again when it was not heard of for a while.
        """
        work = exists().where(LeaseRow.device_id == DeviceRow.device_id, LeaseRow.status == "pending")
        is_wanted = work & (DeviceRow.waiting_for == "")
        is_silent = DeviceRow.last_seen_at.is_(None) | (DeviceRow.last_seen_at <= self.now() - PING_EVERY)
        statement = (
            select(DeviceRow)
            .where(DeviceRow.agent_url.is_not(None), DeviceRow.agent_token.is_not(None))
            .where(DeviceRow.removed_at.is_(None), is_wanted | is_silent)
        )
        with self.database.reading() as session:
            return [
                Target(row.device_id, row.name, row.agent_url or "", row.agent_token or "")
                for row in session.scalars(statement)
            ]

    async def call(self, target: Target) -> None:
        """Ask one agent whether it is there, and run its next lease on it, if any."""
        try:
            address = await resolve_agent(target.url, self.networks)
            transport = PinnedTransport(address, self.make_transport() if self.make_transport else None)
            async with httpx.AsyncClient(transport=transport, trust_env=False) as http:
                await self._serve(AgentClient(target.url, target.token, http), target)
        except (AgentError, ServerError) as error:
            # A lease that was handed out meanwhile expires and is handed out again.
            _log.warning("agent call failed", device=target.name, error=str(error))
        except Exception as error:
            # One device's trouble, or a database that is away, must not end the calls of the others.
            _log.error("agent call failed", device=target.name, exc_info=error)

    async def _serve(self, agent: AgentClient, target: Target) -> None:
        device, state = await agent.device(), await agent.state()
        lease = await run_in_threadpool(self._claim, target, device, state)
        if lease is None:
            return
        _log.info("lease handed out", device=target.name, lease=lease.lease_id)
        renewal = asyncio.create_task(self._renew(agent, lease))
        try:
            for item in lease.items:
                if item.artifact is not None:
                    sha256 = item.artifact.sha256
                    await agent.ensure_artifact(sha256, partial(self.store.read, artifact_name(sha256)))
            async for results in agent.run(lease):
                await run_in_threadpool(self._ingest, target, lease.lease_id, results)
        except NotNowError as error:
            await run_in_threadpool(self._take_back, target, lease, str(error))
        finally:
            renewal.cancel()

    async def _renew(self, agent: AgentClient, lease: Lease) -> None:
        """Keep a lease alive while the agent works; stop the agent when the lease is gone."""
        outage, is_kept = Outage(f"renewing {lease.lease_id}"), True
        while is_kept:
            with outage.passed_over():
                is_kept = await run_in_threadpool(self._renew_once, lease)
            if is_kept:
                await asyncio.sleep(HEARTBEAT_S)
        await agent.cancel(lease.lease_id)

    def _claim(self, target: Target, device: Device, state: AgentState) -> Lease | None:
        waiting_for = state.waiting_for or (OTHER_LEASE if state.lease_id else "")
        with self.database.transaction() as session:
            touch(session, target.device_id, state.environment, self.now(), waiting_for)
            renew_facts(session, target.device_id, device)
            return None if waiting_for else claim_lease(session, target.device_id, self.now())

    def _take_back(self, target: Target, lease: Lease, waiting_for: str) -> None:
        """Queue a lease again that the agent did not take, for something that came up meanwhile."""
        with self.database.transaction() as session:
            touch(session, target.device_id, None, self.now(), waiting_for)
            give_back_lease(session, target.device_id, lease.lease_id, lease.fence)

    def _renew_once(self, lease: Lease) -> bool:
        with self.database.transaction() as session:
            touch(session, lease.device_id, None, self.now())
            return renew_lease(session, lease.device_id, lease.lease_id, lease.fence, None, self.now())

    def _ingest(self, target: Target, lease_id: str, results: Sequence[Result]) -> None:
        with self.database.transaction() as session:
            touch(session, target.device_id, results[-1].environment_after, self.now())
            _, job_id = ingest_results(session, target.device_id, lease_id, results, self.now())
        if job_id is not None:
            advance_job(self.database, self.store, job_id, self.now)
