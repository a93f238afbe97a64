"""Whole networks correct a table: Bayesian linear regression of its entries on measured latencies.

The runtime's profile tells how a network's time is spread over its segments, but not exactly: the profiler
itself costs a few microseconds a node, profiled runs are slower, and a block costs less among its own kind.
The networks that were run plain tell their totals. So each entry, what a node costs taken off, gets a
relative correction that is probably small, and probably alike for entries of one candidate and for entries
at one resolution; the posterior mean is what the totals say of it.

How much a node costs, how small corrections are and how far a network lies from any sum differs from device
to device, and the totals tell that too: each hypothesis about the three counts as much as it explains them.
What is probable before the networks speak is in ``node_cost.py`` and ``correction_prior.py``.

Blocks that need another memory layout cost their neighbours. What a change of layout costs beside what the
profile says is one more unknown for each of the layouts that a device may have (``layouts.py``).

Networks of one candidate throughout (families, and the anchor, which is one by definition) are all a few
percent faster than the covers' entries can tell, for reasons that no sum can follow. They share one
offset, so that they inform on candidates against each other and leave the level to the covers. Predictions
of their like have it too (``neighbours.py``).

Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006): section 2.1 for the
posterior, section 5.2 for the evidence, equation 5.12 for what each network says of a fit without it.

Shape letters: N networks, E entries, B kinds of blocked layouts, H hypotheses.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_server.latency.estimate.correction_prior import (
    CORRECTION_SCALES,
    correction_prior,
    log_scale_density,
)
from search_server.latency.estimate.median_polish import ProfileTimes
from search_server.latency.estimate.node_cost import node_costs
from search_server.latency.layouts import CHANNEL_BLOCKS, layout_changes
from search_server.latency.neighbours import LayoutCost, Neighbours
from shared.search_space import SearchSpace
from shared.workload import IDENTITY_KEY, Workload

LEVEL_SIGMA = 0.3
"""How far corrections of all entries go alike; for the rest see ``correction_prior.py``."""
KIN_SIGMA = 0.03
"""How far networks of one candidate throughout lie together beside what their entries add up to."""
NETWORK_SIGMAS = (0.004, 0.008, 0.012, 0.02, 0.03)
"""What a network's latency has that neither entries nor changes of layout tell, as a share of it."""
LAYOUT_SIGMA = 0.002
"""What a change of layout costs, in units of the anchor: 0.004 was seen where networks take half a
millisecond, 0.001 where they take fifteen."""
SHARED_PART = 0.5
MAX_SHARED_SIGMA = 0.02
"""Half of a cover's measuring noise, up to 2 %, is what all predictions of a table may be off together some
minutes later, which no cover can show: 0.2 % on steady devices, 1 % on restless ones, more under load, see
docs/measuring-tried.md."""
LEAST_SHARE = 0.1
"""An entry keeps at least this share of its profiled time, whatever a node costs."""

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
    """By how much the hypotheses disagree on each entry."""
    neighbours: Neighbours
    node_cost_us: float
    network_sigma: float
    """Relative error of a network that was not measured, as predicted."""


@dataclass(frozen=True, slots=True)
class _Posterior:
    """What the networks say under one hypothesis."""

    node_cost_us: float
    log_evidence: float
    latency_E: Array
    layout_B: Array
    kin: float
    left_out_N: Array
    """How far each network lies from what the others say of it, as a share."""
    variance_N: Array
    """... and what is expected of the square of that."""


def correct(profile: ProfileTimes, networks: Sequence[Observed], space: SearchSpace) -> Corrected:
    """Return entries in units of the anchor that agree with whole networks.

    Args:
        profile: what it says by segment key, all of networks' segments among them.
        networks: what was measured, at least two; latencies above 0.
        space: says which entries are of one candidate, and which of one resolution.
    """
    segments, keys = profile.segments, list(profile.segments)
    profiled_E = np.array([segments[key].wall_us for key in keys])
    nodes_E = np.array([segments[key].num_nodes for key in keys])
    latency_N = np.array([network.latency_units for network in networks])
    times_NE = _occurrences(keys, networks) / latency_N[:, None]
    counters = [layout_changes(space, channel_block) for channel_block in CHANNEL_BLOCKS]
    changes_NB = np.array([[one.surplus(each.workload) for one in counters] for each in networks])
    changes_NB /= latency_N[:, None]
    is_kin_N = np.array([network.is_kin for network in networks], dtype=float)
    error_N = np.array([network.relative_error for network in networks])
    noise_NN = np.diag(error_N**2) + KIN_SIGMA**2 * np.outer(is_kin_N, is_kin_N)
    noise_NN += LAYOUT_SIGMA**2 * changes_NB @ changes_NB.T
    prior_EE = correction_prior(keys, space)
    posteriors: list[_Posterior] = []
    for cost_us, log_prior in node_costs(profiled_E / nodes_E, profile.between_nodes_us):
        left_E = np.maximum(profiled_E - cost_us * nodes_E, LEAST_SHARE * profiled_E)
        left_E = left_E / np.median(times_NE @ left_E)
        posteriors += _posteriors(
            cost_us, log_prior, left_E, times_NE * left_E, changes_NB, is_kin_N, prior_EE, noise_NN
        )
    evidence_H = np.array([posterior.log_evidence for posterior in posteriors])
    weight_H = np.exp(evidence_H - evidence_H.max())
    weight_H /= weight_H.sum()

    def mean(values: Sequence[Array]) -> Array:
        return np.tensordot(weight_H, values, axes=1)

    latency_E = mean([posterior.latency_E for posterior in posteriors])
    sigma_E = np.sqrt(mean([(posterior.latency_E - latency_E) ** 2 for posterior in posteriors]))
    layout_B = mean([posterior.layout_B for posterior in posteriors])
    layout_costs = tuple(map(LayoutCost, CHANNEL_BLOCKS, map(float, layout_B)))
    return Corrected(
        dict(zip(keys, map(float, latency_E), strict=True)),
        dict(zip(keys, map(float, sigma_E), strict=True)),
        Neighbours(layout_costs, float(weight_H @ [posterior.kin for posterior in posteriors])),
        float(weight_H @ [posterior.node_cost_us for posterior in posteriors]),
        _network_sigma(
            networks,
            mean([posterior.left_out_N for posterior in posteriors]),
            mean([posterior.variance_N for posterior in posteriors]),
        ),
    )


def _posteriors(
    cost_us: float,
    log_prior: float,
    left_E: Array,
    shares_NE: Array,
    changes_NB: Array,
    is_kin_N: Array,
    prior_EE: Array,
    noise_NN: Array,
) -> Iterator[_Posterior]:
    """Yield what the networks say for each scale of corrections and of networks' own errors.

    Args:
        cost_us: what a node costs.
        log_prior: how probable that is.
        left_E: entries without it, in units of the anchor.
        shares_NE: what they are of each network's latency.
        changes_NB: changes of layout, over each network's latency.
        is_kin_N: 1 for networks of one candidate throughout, else 0.
        prior_EE: covariance of the relative corrections at scale 1, without that of the level.
        noise_NN: covariance of the networks, layouts included, beside entries and their own errors.
    """
    sums_N = shares_NE.sum(1)
    gap_N = 1 - sums_N
    prior_EN = prior_EE @ shares_NE.T
    level_NN = LEVEL_SIGMA**2 * np.outer(sums_N, sums_N)
    for scale, network_sigma in product(CORRECTION_SCALES, NETWORK_SIGMAS):
        covariance_NN = scale**2 * shares_NE @ prior_EN + level_NN + noise_NN
        covariance_NN += network_sigma**2 * np.eye(len(gap_N))
        inverse_NN = np.linalg.inv(covariance_NN)
        pull_N = inverse_NN @ gap_N
        correction_E = scale**2 * prior_EN @ pull_N + LEVEL_SIGMA**2 * sums_N @ pull_N
        log_determinant = float(np.linalg.slogdet(covariance_NN)[1])
        yield _Posterior(
            cost_us,
            log_prior + log_scale_density(scale) - 0.5 * (float(gap_N @ pull_N) + log_determinant),
            left_E * np.maximum(1 + correction_E, 0),
            LAYOUT_SIGMA**2 * pull_N @ changes_NB,
            KIN_SIGMA**2 * float(pull_N @ is_kin_N),
            pull_N / np.diag(inverse_NN),
            1 / np.diag(inverse_NN),
        )


def _network_sigma(networks: Sequence[Observed], left_out_N: Array, variance_N: Array) -> float:
    """Return the relative error of a network that was not measured.

    It is what the regression expects of covers left out, their own measuring noise not counted; more, if
    covers left out lie further away than expected; and what all of a table is off together.
    """
    is_cover_N = np.array([not network.is_kin for network in networks])
    noise_N = np.array([network.relative_error for network in networks])
    expected = math.sqrt(float(np.mean((variance_N - noise_N**2)[is_cover_N])))
    surprise = float(np.median((np.abs(left_out_N) / np.sqrt(variance_N))[is_cover_N])) / _MEDIAN_OF_NORMAL
    shared = min(SHARED_PART * float(np.median(noise_N[is_cover_N])), MAX_SHARED_SIGMA)
    return math.hypot(expected * max(1.0, surprise), shared)


def _occurrences(keys: Sequence[str], networks: Sequence[Observed]) -> Array:
    """Return how often each entry stands in each network."""
    column = {key: index for index, key in enumerate(keys)}
    times_NE = np.zeros((len(networks), len(keys)))
    for row_E, network in zip(times_NE, networks, strict=True):
        for key in network.workload.segment_keys():
            if key != IDENTITY_KEY:
                row_E[column[key]] += 1
    return times_NE
