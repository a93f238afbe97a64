"""Results of leases on a made-up device whose true latencies are known, for tests of the fit."""

import random
from collections.abc import Mapping

from search_server.latency.covers import cover_architectures
from shared.architecture import anchor_architecture
from shared.protocol.device import Conditions
from shared.protocol.measurement import NodeSamples, Result, RunSamples
from shared.search_space import search_space
from shared.workload import IDENTITY_KEY, Workload

SPACE = search_space("fbnet-tiny")
ANCHOR = anchor_architecture(SPACE).workload()
COVERS: dict[str, Workload] = {
    f"cover{index}": architecture.workload()
    for index, architecture in enumerate(cover_architectures(SPACE, seed=3))
}
PROFILER_COST_US = 0.5
NODES_PER_SEGMENT = 3


def true_segment_us() -> dict[str, float]:
    """Return a plausible latency for every segment key: an overhead and a rate."""
    latencies: dict[str, float] = {}
    for workload in (ANCHOR, *COVERS.values()):
        for segment, shape, key in zip(
            workload.segments, workload.shapes(), workload.segment_keys(), strict=False
        ):
            if key != IDENTITY_KEY:
                latencies[key] = 6.0 + segment.macs(shape) / 40_000
    return latencies


def network_us(workload: Workload, segment_us: Mapping[str, float]) -> float:
    """Return the sum over the segments of a network."""
    return sum(segment_us[key] for key in workload.segment_keys() if key != IDENTITY_KEY)


def results_of_lease(
    lease_id: str, level: float = 1.0, noise: float = 0.0, rounds: int = 20, seed: int = 0
) -> list[Result]:
    """Return what an agent would send: covers profiled, the anchor before every plain run.

    Args:
        lease_id: the lease's id.
        level: factor on every time, the drift of the device.
        noise: relative, one-sided, as contention is.
        rounds: rounds in the lease.
        seed: of the noise.
    """
    truth = true_segment_us()
    generator = random.Random(seed)

    def sample(latency_us: float) -> float:
        return latency_us * level * (1 + noise * generator.expovariate(1))

    clock_us = 0.0
    anchor: list[tuple[float, float]] = []
    plain: dict[str, list[tuple[float, float]]] = {cover: [] for cover in COVERS}
    for _ in range(rounds):
        for cover, workload in COVERS.items():
            for runs, network in ((anchor, ANCHOR), (plain[cover], workload)):
                wall_us = sample(network_us(network, truth))
                runs.append((clock_us, wall_us))
                clock_us += wall_us
    results = [_result(lease_id, "anchor", anchor)]
    for cover, workload in COVERS.items():
        nodes = tuple(
            NodeSamples(
                f"{segment.name}/{index}/conv",
                segment.name,
                "Conv",
                tuple(PROFILER_COST_US + sample(truth[key] / NODES_PER_SEGMENT) for _ in range(rounds)),
            )
            for segment, key in zip(workload.segments, workload.segment_keys(), strict=True)
            if key != IDENTITY_KEY
            for index in range(NODES_PER_SEGMENT)
        )
        results.append(_result(lease_id, cover, plain[cover], nodes))
    return results


def _result(
    lease_id: str, item_id: str, runs: list[tuple[float, float]], nodes: tuple[NodeSamples, ...] = ()
) -> Result:
    starts, walls = zip(*runs, strict=True)
    return Result(
        lease_id,
        1,
        item_id,
        "ok",
        runs=RunSamples(start_us=starts, wall_us=walls),
        nodes=nodes,
        runtime_version="1.0",
        started_at="2026-01-01T00:00:00+00:00",
    )


CONDITIONS = Conditions()
