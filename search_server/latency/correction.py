"""Whole networks correct a table: Bayesian linear regression of its entries on measured latencies.

The runtime's profile tells how a network's time is spread over its segments, but not exactly: profiled
runs are slower, whole microseconds are coarse, and a block costs less among its own kind. The networks
that were run plain tell their totals. So each entry gets a relative correction that is probably small,
and probably alike for entries of one candidate and for entries at one resolution; the posterior mean is
what the totals say of it.

Networks of one candidate throughout (families, and the anchor, which is one by definition) are all a few
percent faster than the covers' entries can tell, for reasons that no sum can follow. They share one
offset, so that they inform on candidates against each other and leave the level to the covers.

Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006): section 2.1 for the
posterior, equation 5.12 for what each network says of a fit without it.

Shape letters: N networks, E entries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.search_space import SearchSpace
from shared.workload import IDENTITY_KEY, Workload, segment_key

LEVEL_SIGMA = 0.1
CANDIDATE_SIGMA = 0.06
RESOLUTION_SIGMA = 0.02
ENTRY_SIGMA = 0.05
"""How far corrections probably go: all entries alike, those of a candidate, at a resolution, one alone."""
KIN_SIGMA = 0.03
"""How far networks of one candidate throughout lie together beside what their entries add up to."""
NETWORK_SIGMA = 0.02
"""What a network's measured latency has that no sum of entries tells: noise, and its neighbourhoods."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Observed:
    """A whole network that was measured."""

    workload: Workload
    latency_units: float
    is_kin: bool
    """One candidate throughout."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """Entries after the correction, and how well it explains the networks."""

    latency_units: dict[str, float]
    """By segment key."""
    misfit: float
    """How improbable the networks are with these entries before the correction: 0 where all agree."""
    left_out_errors: Array
    """Of each network in order: predicted without it, over measured, minus 1."""


def correct(entries: Mapping[str, float], networks: Sequence[Observed], space: SearchSpace) -> Corrected:
    """Return entries in units of the anchor that agree with whole networks.

    Args:
        entries: latency by segment key, in any unit, all of networks' segments among them.
        networks: what was measured, at least two.
        space: says which entries are of one candidate, and which of one resolution.
    """
    keys = list(entries)
    shares_NE = _latencies(entries, keys, networks)
    measured_N = np.array([network.latency_units for network in networks])
    scale = float(np.median(measured_N / shares_NE.sum(1)))
    shares_NE *= scale / measured_N[:, None]
    gap_N = 1 - shares_NE.sum(1)
    prior_EE = _prior(keys, space)
    is_kin_N = np.array([network.is_kin for network in networks], dtype=float)
    noise_NN = NETWORK_SIGMA**2 * np.eye(len(networks)) + KIN_SIGMA**2 * np.outer(is_kin_N, is_kin_N)
    covariance_NN = shares_NE @ prior_EE @ shares_NE.T + noise_NN
    inverse_NN = np.linalg.inv(covariance_NN)
    correction_E = prior_EE @ shares_NE.T @ inverse_NN @ gap_N
    latency_E = scale * np.array([entries[key] for key in keys]) * np.maximum(1 + correction_E, 0)
    return Corrected(
        dict(zip(keys, map(float, latency_E), strict=True)),
        float(gap_N @ inverse_NN @ gap_N),
        -(inverse_NN @ gap_N) / np.diag(inverse_NN),
    )


def _latencies(entries: Mapping[str, float], keys: Sequence[str], networks: Sequence[Observed]) -> Array:
    """Return what each entry contributes to each network."""
    column = {key: index for index, key in enumerate(keys)}
    latency_NE = np.zeros((len(networks), len(keys)))
    for row_E, network in zip(latency_NE, networks, strict=True):
        for key in network.workload.segment_keys():
            if key != IDENTITY_KEY:
                row_E[column[key]] += entries[key]
    return latency_NE


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
