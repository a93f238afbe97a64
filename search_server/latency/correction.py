"""Whole networks correct a table: Bayesian linear regression of its entries on measured latencies.

The runtime's profile tells how a network's time is spread over its segments, but not exactly: the profiler
itself costs a few microseconds a node, profiled runs are slower, and a block costs less among its own kind.
The networks that were run plain tell their totals. So the cost of a node is one unknown, and each entry has
another: a relative correction that is probably small, and probably alike for entries of one candidate and
for entries at one resolution. The posterior mean is what the totals say of them.

Networks of one candidate throughout (families, and the anchor, which is one by definition) are all a few
percent faster than the covers' entries can tell, for reasons that no sum can follow. They share one
offset, so that they inform on candidates against each other and leave the level to the covers.

Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006): section 2.1 for the
posterior, equation 5.12 for what each network says of a fit without it.

Shape letters: N networks, E entries.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_server.latency.median_polish import SegmentTime
from shared.search_space import SearchSpace
from shared.workload import IDENTITY_KEY, Workload, segment_key

NODE_COST_SIGMA_US = 5.0
"""What a profiler probably adds to each node; below 0 where nodes leave out time between them."""
LEVEL_SIGMA = 0.3
CANDIDATE_SIGMA = 0.02
RESOLUTION_SIGMA = 0.01
ENTRY_SIGMA = 0.01
"""How far corrections probably go: all entries alike, those of a candidate, at a resolution, one alone."""
KIN_SIGMA = 0.03
"""How far networks of one candidate throughout lie together beside what their entries add up to."""
NETWORK_SIGMA = 0.012
"""What a network's latency has that no sum of entries tells: its neighbourhoods."""
LEAST_SHARE = 0.1
"""An entry keeps at least this share of its profiled time, whatever a node costs."""

_LINEARISATIONS = 3
_MEDIAN_OF_NORMAL = 0.6745
"""Of the absolute value, in standard deviations."""

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Observed:
    """A whole network that was measured."""

    workload: Workload
    latency_units: float
    relative_error: float
    """Standard error of the measurement, as a share of it."""
    is_kin: bool
    """One candidate throughout."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """Entries after the correction, and how well it explains the networks."""

    latency_units: dict[str, float]
    """By segment key."""
    sigma_units: dict[str, float]
    """Standard error of each entry that comes from what a node costs."""
    node_cost_us: float
    network_sigma: float
    """Relative error of a network that was not measured, as predicted."""


def correct(
    segments: Mapping[str, SegmentTime], networks: Sequence[Observed], space: SearchSpace
) -> Corrected:
    """Return entries in units of the anchor that agree with whole networks.

    Args:
        segments: what the profile says by segment key, all of networks' segments among them.
        networks: what was measured, at least two; latencies above 0.
        space: says which entries are of one candidate, and which of one resolution.
    """
    keys = list(segments)
    profiled_E = np.array([segments[key].wall_us for key in keys])
    nodes_E = np.array([segments[key].num_nodes for key in keys])
    times_NE = _occurrences(keys, networks)
    times_NE /= np.array([network.latency_units for network in networks])[:, None]
    units_per_us = 1 / float(np.median(times_NE @ profiled_E))
    costs_N = units_per_us * times_NE @ nodes_E
    gap_N = 1 - units_per_us * times_NE @ profiled_E
    prior_EE, noise_NN = _prior(keys, space), _noise(networks)
    cost_us = 0.0
    for _ in range(_LINEARISATIONS):
        left_E = units_per_us * np.maximum(profiled_E - cost_us * nodes_E, LEAST_SHARE * profiled_E)
        shares_NE = times_NE * left_E
        covariance_NN = shares_NE @ prior_EE @ shares_NE.T + noise_NN
        covariance_NN += NODE_COST_SIGMA_US**2 * np.outer(costs_N, costs_N)
        inverse_NN = np.linalg.inv(covariance_NN)
        cost_us = -(NODE_COST_SIGMA_US**2) * float(costs_N @ inverse_NN @ gap_N)
    latency_E = left_E * np.maximum(1 + prior_EE @ shares_NE.T @ inverse_NN @ gap_N, 0)
    cost_variance = NODE_COST_SIGMA_US**2 - NODE_COST_SIGMA_US**4 * costs_N @ inverse_NN @ costs_N
    sigma_E = units_per_us * nodes_E * math.sqrt(max(cost_variance, 0.0))
    return Corrected(
        dict(zip(keys, map(float, latency_E), strict=True)),
        dict(zip(keys, map(float, sigma_E), strict=True)),
        cost_us,
        _network_sigma(networks, inverse_NN, gap_N),
    )


def _network_sigma(networks: Sequence[Observed], inverse_NN: Array, gap_N: Array) -> float:
    """Return the relative error of a network that was not measured.

    It is what the regression expects of covers left out, their own measuring noise not counted; and more,
    if covers left out lie further away than expected.
    """
    is_cover_N = np.array([not network.is_kin for network in networks])
    noise_N = np.array([network.relative_error for network in networks])
    variance_N = 1 / np.diag(inverse_NN)
    left_out_N = np.abs(inverse_NN @ gap_N) * np.sqrt(variance_N)
    expected = math.sqrt(float(np.mean((variance_N - noise_N**2)[is_cover_N])))
    surprise = float(np.median(left_out_N[is_cover_N])) / _MEDIAN_OF_NORMAL
    return expected * max(1.0, surprise)


def _occurrences(keys: Sequence[str], networks: Sequence[Observed]) -> Array:
    """Return how often each entry stands in each network."""
    column = {key: index for index, key in enumerate(keys)}
    times_NE = np.zeros((len(networks), len(keys)))
    for row_E, network in zip(times_NE, networks, strict=True):
        for key in network.workload.segment_keys():
            if key != IDENTITY_KEY:
                row_E[column[key]] += 1
    return times_NE


def _noise(networks: Sequence[Observed]) -> Array:
    """Return the covariance of what the networks' latencies have beside the sums of their entries."""
    error_N = np.array([network.relative_error for network in networks])
    is_kin_N = np.array([network.is_kin for network in networks], dtype=float)
    noise_NN: Array = np.diag(NETWORK_SIGMA**2 + error_N**2) + KIN_SIGMA**2 * np.outer(is_kin_N, is_kin_N)
    return noise_NN


def _prior(keys: Sequence[str], space: SearchSpace) -> Array:
    """Return the covariance of the entries' relative corrections."""
    kinds: dict[str, tuple[str, int]] = {}
    for layer in space.layers:
        for block in space.candidates:
            key = segment_key(space.candidate(layer, block), layer.input_shape)
            kinds.setdefault(key, (block, layer.resolution))
    blocks, resolutions = (
        np.array([str(kinds[key][part]) if key in kinds else key for key in keys]) for part in (0, 1)
    )
    prior_EE: Array = (
        LEVEL_SIGMA**2
        + CANDIDATE_SIGMA**2 * (blocks[:, None] == blocks)
        + RESOLUTION_SIGMA**2 * (resolutions[:, None] == resolutions)
        + ENTRY_SIGMA**2 * np.eye(len(keys))
    )
    return prior_EE
