"""Profiled runs -> time per segment, by median polish: what is the run's, and what is the segment's.

A device that changes its speed between two runs changes it for all nodes of a run. So a run has a factor
and a segment has a time; each is found as a middle of the samples divided by the other, in turns, which
begin with a run's total over what its network takes when it runs plain. The mean of half of the samples
resolves what a profiler's whole microseconds hide from a single one.

Source: Tukey, "Exploratory Data Analysis" (1977), chapter 11, with quotients instead of differences.

Shape letters: S segments of a network, R runs.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.protocol.measurement import Result
from shared.workload import IDENTITY_KEY, Workload

_ROUNDS = 3

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SegmentTime:
    """What the profile says of one segment key."""

    wall_us: float
    """As profiled, at the median speed of the device."""
    num_nodes: float
    """Nodes of the runtime's graph that it takes; a mean, since neighbours may add or spare some."""
    num_samples: int


@dataclass(frozen=True, slots=True)
class ProfileTimes:
    """What profiled runs say."""

    segments: dict[str, SegmentTime]
    """By segment key."""
    between_nodes_us: float | None
    """What a run takes beside its nodes' own times, a node, at the median speed: the profiler at work.
    None where segments are stamped whole, or wall times are missing."""


@dataclass(frozen=True, slots=True)
class _ProfiledNetwork:
    """The profiled runs of one network in one lease."""

    keys: tuple[str, ...]
    measured_units: float
    wall_us_SR: Array
    num_nodes_S: Array
    between_us_R: Array
    """What each run took beside all of its nodes, a node; NaN where unknown."""


def profile_times(
    results: Sequence[Result], networks: Mapping[str, Workload], measured_units: Mapping[str, float]
) -> ProfileTimes:
    """Return the time of each segment key, and what lies between nodes.

    Args:
        results: with status ``ok``; those of other items and those without node times are passed over.
        networks: what was profiled, by item id.
        measured_units: the plain latency of each of them, in units of the anchor.
    """
    profiled = [
        _profiled_network(result, networks[result.item_id], measured_units[result.item_id])
        for result in results
        if result.item_id in networks and any(node.wall_us for node in result.nodes)
    ]
    factors = [_start(network) for network in profiled]
    for _ in range(_ROUNDS):
        times = {key: _middle(samples) for key, samples in _by_key(profiled, factors).items()}
        factors = [_factors(network, times) for network in profiled]
    level = float(np.median(np.concatenate(factors))) if factors else 1.0
    samples = _by_key(profiled, factors)
    num_nodes: dict[str, list[float]] = defaultdict(list)
    for network in profiled:
        for key, number in zip(network.keys, network.num_nodes_S, strict=True):
            num_nodes[key].append(float(number))
    segments = {
        key: SegmentTime(level * _middle(each), float(np.mean(num_nodes[key])), len(each))
        for key, each in samples.items()
    }
    return ProfileTimes(segments, _between_nodes_us(profiled, factors, level))


def _profiled_network(result: Result, workload: Workload, measured_units: float) -> _ProfiledNetwork:
    nodes = [node for node in result.nodes if node.wall_us]
    num_runs = min(len(node.wall_us) for node in nodes)
    key_of = dict(zip((s.name for s in workload.segments), workload.segment_keys(), strict=True))
    names = [s.name for s in workload.segments if key_of[s.name] != IDENTITY_KEY]
    total_us_R = np.sum([node.wall_us[:num_runs] for node in nodes], axis=0)
    between_us_R = np.full(num_runs, np.nan)
    timed = result.profiled_wall_us[-num_runs:]  # runs that warmed up have node times alone
    between_us_R[num_runs - len(timed) :] = (np.array(timed) - total_us_R[num_runs - len(timed) :]) / len(
        nodes
    )
    wall_us_SR = np.zeros((len(names), num_runs))
    num_nodes_S = np.zeros(len(names))
    for node in nodes:
        if node.segment in names:
            index = names.index(node.segment)
            wall_us_SR[index] += node.wall_us[:num_runs]
            num_nodes_S[index] += 1
    keys = tuple(key_of[name] for name in names)
    return _ProfiledNetwork(keys, measured_units, wall_us_SR, num_nodes_S, between_us_R)


def _between_nodes_us(
    networks: Sequence[_ProfiledNetwork], factors: Sequence[Array], level: float
) -> float | None:
    if not any((network.num_nodes_S > 1).any() for network in networks):
        return None
    ratios = [network.between_us_R / factor_R for network, factor_R in zip(networks, factors, strict=True)]
    known = np.concatenate(ratios)
    known = known[np.isfinite(known)]
    return max(0.0, level * float(np.median(known))) if len(known) else None


def _by_key(networks: Sequence[_ProfiledNetwork], factors: Sequence[Array]) -> dict[str, Array]:
    """Return all samples of each segment key, divided by their runs' factors."""
    samples: dict[str, list[Array]] = defaultdict(list)
    for network, factor_R in zip(networks, factors, strict=True):
        for key, wall_us_R in zip(network.keys, network.wall_us_SR / factor_R, strict=True):
            samples[key].append(wall_us_R)
    return {key: np.concatenate(each) for key, each in samples.items()}


def _start(network: _ProfiledNetwork) -> Array:
    """Return the factors to begin with: microseconds a unit of the anchor."""
    factors_R: Array = network.wall_us_SR.sum(0) / network.measured_units
    return np.where(factors_R > 0, factors_R, 1.0)


def _factors(network: _ProfiledNetwork, times: Mapping[str, float]) -> Array:
    """Return for each run the median of its segments over their times, each counted by its time."""
    times_S = np.array([times[key] for key in network.keys])
    if not times_S.any():
        return np.ones(network.wall_us_SR.shape[1])
    is_timed_S = times_S > 0
    ratios_SR = network.wall_us_SR[is_timed_S] / times_S[is_timed_S, None]
    order_SR = np.argsort(ratios_SR, axis=0)
    weights_SR = np.cumsum(times_S[is_timed_S][order_SR], axis=0)
    middle_R = (weights_SR >= weights_SR[-1] / 2).argmax(axis=0)
    runs_R = np.arange(ratios_SR.shape[1])
    factors_R: Array = ratios_SR[order_SR[middle_R, runs_R], runs_R]
    return np.where(factors_R > 0, factors_R, 1.0)


def _middle(samples: Array) -> float:
    """Return the mean of the middle half."""
    count = len(samples)
    return float(np.sort(samples)[count // 4 : count - count // 4].mean())
