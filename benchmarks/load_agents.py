"""Agents that dial out and measure nothing: the real protocol over HTTP, answers given at once.

Each has one connection and speaks through the same ``ServerClient`` as a real agent, with the same pauses.
What it has not handed in yet it keeps, as a real agent does in its spool.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import httpx

from profiler_agent.carriers.backoff import Backoff
from shared.protocol.call_server import NoAnswerError, RequestRefusedError, ServerClient
from shared.protocol.device import Device, DeviceCreate, DeviceCredential, Environment, RuntimeInfo
from shared.protocol.measurement import Lease, LeaseRequest, NodeSamples, Result, RunSamples

NUM_RUNS = 8
"""Runs of each network in an answer."""

_ENVIRONMENT = Environment(load_1m=0.1, temperature_c=45.0)
_CONNECT_S = 30.0
_LOST_LEASE = (404, 409, 410)


@dataclass(slots=True)
class Tally:
    """What happened to all agents together."""

    enrolled: list[DeviceCredential] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """Why an enrolment failed for good, or an agent gave up."""
    num_shed: int = 0
    """Requests that the server refused for the moment."""
    num_unanswered: int = 0
    """Requests without an answer, as while the server is away."""
    num_refused_results: int = 0
    """Results that the server did not want any more."""
    picked_up: dict[str, float] = field(default_factory=dict)
    """``time.monotonic()`` of a device's first lease since its entry was removed, by device id."""
    hand_outs: dict[tuple[str, int], int] = field(default_factory=dict)
    """How often each lease and fence was handed out: more than once is a fault."""
    acknowledged: set[tuple[str, int, str]] = field(default_factory=set)
    """Lease, fence and item of each result for which a receipt came."""


@dataclass(slots=True)
class LoadAgent:
    """One agent; its life is a task."""

    name: str
    url: str
    enrolment_token: str
    tally: Tally
    generator: random.Random
    wait_s: float = 50.0
    """How long a request for work waits."""
    spool: deque[Result] = field(default_factory=deque)

    async def live(self) -> None:
        """Enrol, then ask for work and do it until cancelled."""
        # Building a context for TLS takes longer than all else here, and the server speaks plain HTTP.
        transport = httpx.AsyncHTTPTransport(verify=False, limits=httpx.Limits(max_connections=1))
        timeout = httpx.Timeout(_CONNECT_S, pool=None)
        async with httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False) as http:
            credential = await self._enrol(ServerClient(self.url, http=http))
            if credential is not None:
                self.tally.enrolled.append(credential)
                await self._work(ServerClient(self.url, credential.token, http), credential.device_id)

    async def _enrol(self, client: ServerClient) -> DeviceCredential | None:
        backoff = Backoff(self.generator)
        while True:
            try:
                return await client.enrol(self.enrolment_token, DeviceCreate(device(self.name)))
            except (NoAnswerError, RequestRefusedError) as error:
                if not await self._pause(error, backoff):
                    self.tally.failures.append(f"{self.name} did not enrol: {error}")
                    return None

    async def _work(self, client: ServerClient, device_id: str) -> None:
        backoff = Backoff(self.generator)
        is_known = False
        while True:
            try:
                await self._deliver(client)
                request = LeaseRequest(
                    environment=_ENVIRONMENT, device=None if is_known else device(self.name)
                )
                lease = await client.lease(request, self.wait_s if is_known else 0.0)
                is_known = True
                backoff.reset()
                if lease is not None:
                    self._note(lease, device_id)
                    self.spool.extend(simulated_results(lease))
            except (NoAnswerError, RequestRefusedError) as error:
                if not await self._pause(error, backoff):
                    self.tally.failures.append(f"{self.name} gave up: {error}")
                    return

    async def _deliver(self, client: ServerClient) -> None:
        while self.spool:
            lease_id = self.spool[0].lease_id
            batch = [result for result in self.spool if result.lease_id == lease_id]
            try:
                await client.post_results(batch)
            except RequestRefusedError as error:
                if error.status not in _LOST_LEASE:
                    raise
                self.tally.num_refused_results += len(batch)
            else:
                self.tally.acknowledged |= {(each.lease_id, each.fence, each.item_id) for each in batch}
            for _ in batch:
                self.spool.popleft()

    async def _pause(self, error: Exception, backoff: Backoff) -> bool:
        """Wait before the next attempt; False if there is no use in one."""
        asked_s = 0.0
        if isinstance(error, RequestRefusedError):
            asked_s = error.retry_after_s
            if not error.is_temporary:
                return False
            self.tally.num_shed += 1
        else:
            self.tally.num_unanswered += 1
        await asyncio.sleep(backoff.next_s(asked_s))
        return True

    def _note(self, lease: Lease, device_id: str) -> None:
        self.tally.picked_up.setdefault(device_id, time.monotonic())
        key = lease.lease_id, lease.fence
        self.tally.hand_outs[key] = self.tally.hand_outs.get(key, 0) + 1


def device(name: str) -> Device:
    """Return the facts of an agent that simulates."""
    runtimes = (RuntimeInfo("simulated", "1.0"),)
    return Device(name, "Linux 6.1", "aarch64", "linux-aarch64", num_cores=4, runtimes=runtimes)


def simulated_results(lease: Lease, num_runs: int = NUM_RUNS, num_profiled: int = 6) -> Iterator[Result]:
    """Yield a plausible answer for each item, marked as simulated."""
    shared = Result(
        lease.lease_id,
        lease.fence,
        item_id="",
        status="ok",
        runtime_version="1.0",
        started_at=datetime.now(UTC).isoformat(),
        environment_after=_ENVIRONMENT,
        is_simulated=True,
    )
    for item in lease.items:
        offset_us = 0.0 if item.is_anchor else 1.0  # the anchor runs right before each other network
        segment_us = {segment.name: 20.0 + len(segment.name) for segment in item.network.segments}
        times_us = (sum(segment_us.values()),) * num_runs
        nodes: tuple[NodeSamples, ...] = ()
        if item.profile_segments:
            nodes = tuple(
                NodeSamples(f"{name}/conv", name, "Conv", (us,) * num_profiled)
                for name, us in segment_us.items()
            )
        yield replace(
            shared,
            item_id=item.item_id,
            runs=RunSamples(
                start_us=tuple(index * 1e6 + offset_us for index in range(num_runs)),
                wall_us=times_us,
                cpu_us=times_us,
                turn_index=tuple(range(num_runs)),
                involuntary_switches=(0,) * num_runs,
                minor_faults=(0,) * num_runs,
            ),
            nodes=nodes,
            profiled_wall_us=times_us[:num_profiled] if nodes else (),
        )
