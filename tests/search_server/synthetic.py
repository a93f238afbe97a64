"""A device that measures nothing: its results are built from a table that the test knows."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from search_server.latency.estimate.assumptions import USUAL
from shared.protocol.device import Conditions, Device, DeviceCreate, DeviceCredential, RuntimeInfo
from shared.protocol.measurement import (
    Lease,
    LeaseItem,
    LeaseRequest,
    NodeSamples,
    Result,
    RunSamples,
    Status,
)
from shared.protocol.wire import from_dict
from shared.workload import IDENTITY_KEY, Workload
from tests.search_server.api import Api

PROFILER_COST_US = 2.0
"""What the synthetic profiler adds to each node."""
BETWEEN_NODES_US = PROFILER_COST_US / USUAL.cost_share
"""What it takes between two nodes: as much as real ones."""
NODES_PER_SEGMENT = 2
NUM_PROFILED_RUNS = 6

RUNTIMES = (RuntimeInfo("onnxruntime", "1.32.0"), RuntimeInfo("simulated", "1.0"))


def device_facts(name: str) -> Device:
    return Device(name, "Linux 6.1", "aarch64", "linux-aarch64", num_cores=4, runtimes=RUNTIMES)


def segment_latency_us(key: str) -> float:
    """The truth: an arbitrary latency of 20..220 us for each segment."""
    return 0.0 if key == IDENTITY_KEY else 20 + random.Random(key).random() * 200


def network_latency_us(workload: Workload) -> float:
    return sum(segment_latency_us(key) for key in workload.segment_keys())


@dataclass(frozen=True, slots=True)
class SyntheticDevice:
    """An enrolled device whose agent the test plays."""

    api: Api
    name: str
    device_id: str
    token: str

    @classmethod
    async def enrol(cls, api: Api, name: str) -> "SyntheticDevice":
        token = api.make_token("enrol", None)
        answer = await api.post("/devices", DeviceCreate(device_facts(name)), token=token)
        credential = from_dict(answer, DeviceCredential)
        return cls(api, name, credential.device_id, credential.token)

    async def lease(self, wait_s: float = 0) -> Lease | None:
        """Ask for work."""
        response = await self.api.send(
            "POST", f"/agent/lease?wait={wait_s}", LeaseRequest(), token=self.token, timeout=60
        )
        assert response.is_success, response.text
        return None if response.status_code == 204 else from_dict(response.json(), Lease)

    async def post(self, result: Result) -> None:
        await self.api.post(f"/agent/leases/{result.lease_id}/results", result, token=self.token)

    async def work(self, slowdown: float = 1.0, noise: float = 0.0, network_slowdown: float = 1.0) -> int:
        """Answer leases until there are none; return how many there were.

        ``network_slowdown`` is a factor on whole networks that the anchor does not share.
        """
        num_leases = 0
        while (lease := await self.lease()) is not None:
            for result in lease_results(lease, slowdown, noise, network_slowdown):
                await self.post(result)
            num_leases += 1
        return num_leases


def lost_results(lease: Lease, status: Status = "throttled") -> list[Result]:
    """What a device sends that could not give numbers."""
    return [
        replace(result, status=status, reason="takes 1.4 times its best (limit 1.10)")
        for result in lease_results(lease)
    ]


def lease_results(
    lease: Lease, slowdown: float = 1.0, noise: float = 0.0, network_slowdown: float = 1.0
) -> list[Result]:
    """What a device on which every segment takes its known time would send."""
    generator = random.Random(lease.policy.seed)
    return [
        _result(lease, item, slowdown * (1.0 if item.is_anchor else network_slowdown), noise, generator)
        for item in lease.items
    ]


def ok_result(lease: Lease, item_id: str = "anchor") -> Result:
    """A small valid result."""
    return next(result for result in lease_results(lease) if result.item_id == item_id)


def _result(
    lease: Lease, item: LeaseItem, slowdown: float, noise: float, generator: random.Random
) -> Result:
    offset_us = 0.0 if item.is_anchor else 1.0  # the anchor starts right before each other run
    num_runs = 8
    nodes = _nodes(item, slowdown, noise, generator) if item.profile_segments else ()
    wall_us = tuple(
        network_latency_us(item.network) * slowdown * (1 + noise * generator.random())
        for _ in range(num_runs)
    )
    return Result(
        lease_id=lease.lease_id,
        fence=lease.fence,
        item_id=item.item_id,
        status="ok",
        runs=RunSamples(
            start_us=tuple(index * 1e6 + offset_us for index in range(num_runs)),
            wall_us=wall_us,
            cpu_us=wall_us,
            turn_index=tuple(range(num_runs)),
            involuntary_switches=(0,) * num_runs,
            minor_faults=(0,) * num_runs,
        ),
        nodes=nodes,
        profiled_wall_us=_profiled_wall_us(nodes),
        runtime_version=next(known.version for known in RUNTIMES if known.name == lease.conditions.runtime),
        started_at="2026-11-24T12:00:00+00:00",
    )


def _nodes(
    item: LeaseItem, slowdown: float, noise: float, generator: random.Random
) -> tuple[NodeSamples, ...]:
    keys: Mapping[str, str] = dict(
        zip((segment.name for segment in item.network.segments), item.network.segment_keys(), strict=True)
    )
    nodes = []
    for name, key in keys.items():
        if key != IDENTITY_KEY:
            wall_us = tuple(
                segment_latency_us(key) * slowdown * (1 + noise * generator.random()) / NODES_PER_SEGMENT
                + PROFILER_COST_US
                for _ in range(NUM_PROFILED_RUNS)
            )
            nodes += [
                NodeSamples(f"{name}/{index}/conv2d", name, "Conv", wall_us)
                for index in range(NODES_PER_SEGMENT)
            ]
    return tuple(nodes)


def _profiled_wall_us(nodes: tuple[NodeSamples, ...]) -> tuple[float, ...]:
    """Return what the profiled runs take as a whole; nothing where nothing was profiled."""
    runs = zip(*(node.wall_us for node in nodes), strict=True)
    return tuple(sum(run) + BETWEEN_NODES_US * len(nodes) for run in runs)


SIMULATED = Conditions(runtime="simulated")
"""Conditions that need no model files."""
