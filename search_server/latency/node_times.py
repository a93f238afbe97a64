"""Profiled nodes -> time per segment: the lower half of each node's samples, at one level for all leases.

A device that is slower in one window than in another is slower in all of its nodes. Since each window
profiles other covers, their times are brought to one level first: that at which a lease's covers take as
long, profiled, as their plain runs say in units of the anchor.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.measurement import Result
from shared.workload import IDENTITY_KEY, Workload

Array = NDArray[np.float64]
NodeTimes = dict[tuple[str, str, str], list[Array]]
"""(cover, segment, node) -> samples, one array a lease, microseconds."""


def node_times(
    results: Sequence[Result], covers: Mapping[str, Workload], measured_units: Mapping[str, float]
) -> NodeTimes:
    """Return the samples of all nodes of the covers, all leases at their median level.

    Args:
        results: with status ``ok``.
        covers: the cover networks by item id.
        measured_units: the plain latency of each cover, in units of the anchor.
    """
    profiled = [result for result in results if result.item_id in covers and result.nodes]
    totals_us: dict[str, list[float]] = defaultdict(list)
    for result in profiled:
        total_us = sum(_lower_half_mean(np.asarray(node.wall_us)) for node in result.nodes if node.wall_us)
        totals_us[result.lease_id].append(total_us / measured_units[result.item_id])
    levels_us = {lease: float(np.median(totals)) for lease, totals in totals_us.items()}
    level_us = float(np.median(list(levels_us.values()))) if levels_us else 0.0
    nodes: NodeTimes = defaultdict(list)
    for result in profiled:
        factor = level_us / levels_us[result.lease_id] if levels_us[result.lease_id] else 1.0
        for node in result.nodes:
            if node.wall_us:
                samples_us = factor * np.asarray(node.wall_us)
                nodes[result.item_id, node.segment, node.name].append(samples_us)
    return nodes


def segment_times(
    covers: Mapping[str, Workload], nodes: NodeTimes, cost_us: float
) -> tuple[dict[str, float], dict[str, int]]:
    """Return each segment key's time in microseconds and the number of samples behind it.

    Args:
        covers: the cover networks by item id.
        nodes: their samples.
        cost_us: what the profiler itself adds to each node.
    """
    segment_us: dict[tuple[str, str], float] = defaultdict(float)
    segment_samples: dict[tuple[str, str], int] = {}
    for (cover, name, _), leases in nodes.items():
        samples_us = np.concatenate(leases)
        segment_us[cover, name] += max(_lower_half_mean(samples_us) - cost_us, 0.0)
        segment_samples[cover, name] = len(samples_us)
    times: dict[str, list[float]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    for cover, workload in covers.items():
        for segment, key in zip(workload.segments, workload.segment_keys(), strict=True):
            if key != IDENTITY_KEY:
                times[key].append(segment_us[cover, segment.name])
                counts[key] += segment_samples.get((cover, segment.name), 0)
    return {key: float(np.mean(values)) for key, values in times.items()}, counts


def odd_even_differences(
    covers: Mapping[str, Workload], nodes: NodeTimes, cost_us: float, min_share: float
) -> Array:
    """Return per entry the relative difference between two halves: of its leases, or of one's rounds.

    Args:
        covers: the cover networks by item id.
        nodes: their samples.
        cost_us: what the profiler itself adds to each node.
        min_share: entries below this share of all entries' sum are left out: no network's latency depends
            on them.
    """
    halves = []
    for parity in (0, 1):
        half: NodeTimes = {
            name: leases[parity::2] if len(leases) > 1 else [leases[0][parity::2]]
            for name, leases in nodes.items()
            if len(leases) > 1 or len(leases[0]) > 1
        }
        halves.append(segment_times(covers, half, cost_us)[0])
    odd, even = (np.array([half[key] for key in halves[0]]) for half in halves)
    odd, even = odd / odd.sum(), even / even.sum()
    is_judged = (odd + even) / 2 >= min_share
    odd, even = odd[is_judged], even[is_judged]
    differences: Array = 2 * (odd - even) / (odd + even)
    return differences


def _lower_half_mean(samples_us: Array) -> float:
    return float(np.sort(samples_us)[: max(1, len(samples_us) // 2)].mean())
