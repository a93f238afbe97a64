"""Whole networks correct a table: Bayesian linear regression of its entries on measured latencies.

The runtime's profile tells how a network's time is spread over its segments, but not exactly: the profiler
itself costs a few microseconds a node, profiled runs are slower, and a block costs less among its own kind.
The networks that were run plain tell their totals. So each entry, what a node costs taken off, gets a
relative correction that is probably small; the posterior mean is what the totals say of it.

How much a node costs, how small corrections are and how far a network lies from any sum differs from device
to device, and the totals tell that too: each hypothesis about the three counts as much as it explains them.
What is probable before the networks speak is in ``assumptions.py`` and ``node_cost.py``.

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

from search_server.latency.estimate.assumptions import USUAL, Assumptions
from search_server.latency.estimate.node_cost import node_costs
from search_server.latency.estimate.observations import Observations, Observed
from search_server.latency.layouts import layout_changes
from search_server.latency.neighbours import LayoutCost, Neighbours
from search_server.latency.normal import MEDIAN_SIZE
from shared.search_space import SearchSpace
from shared.workload import IDENTITY_KEY

LEAST_SHARE = 0.1
"""An entry keeps at least this share of its profiled time, whatever a node costs."""

Array = NDArray[np.floating[Any]]


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


def correct(observations: Observations, space: SearchSpace, assumptions: Assumptions = USUAL) -> Corrected:
    """Return entries in units of the anchor that agree with whole networks.

    Args:
        observations: what was measured, at least two networks; latencies above 0.
        space: says which entries stand in no layer, and what changes layouts.
        assumptions: what is probable before.
    """
    networks, profile = observations.networks, observations.profile
    segments, keys = profile.segments, list(profile.segments)
    profiled_E = np.array([segments[key].wall_us for key in keys])
    nodes_E = np.array([segments[key].num_nodes for key in keys])
    regression = _regression(keys, networks, space, assumptions)
    posteriors: list[_Posterior] = []
    for cost_us, log_prior in node_costs(profiled_E / nodes_E, profile.between_nodes_us, assumptions):
        left_E = np.maximum(profiled_E - cost_us * nodes_E, LEAST_SHARE * profiled_E)
        posteriors += regression.posteriors(cost_us, log_prior, left_E)
    evidence_H = np.array([posterior.log_evidence for posterior in posteriors])
    weight_H = np.exp(evidence_H - evidence_H.max())
    weight_H /= weight_H.sum()

    def mean(values: Sequence[Array]) -> Array:
        return np.tensordot(weight_H, values, axes=1)

    latency_E = mean([posterior.latency_E for posterior in posteriors])
    sigma_E = np.sqrt(mean([(posterior.latency_E - latency_E) ** 2 for posterior in posteriors]))
    layout_B = mean([posterior.layout_B for posterior in posteriors])
    layout_costs = tuple(map(LayoutCost, assumptions.channel_blocks, map(float, layout_B)))
    return Corrected(
        dict(zip(keys, map(float, latency_E), strict=True)),
        dict(zip(keys, map(float, sigma_E), strict=True)),
        Neighbours(layout_costs, float(weight_H @ [posterior.kin for posterior in posteriors])),
        float(weight_H @ [posterior.node_cost_us for posterior in posteriors]),
        _network_sigma(
            networks,
            mean([posterior.left_out_N for posterior in posteriors]),
            mean([posterior.variance_N for posterior in posteriors]),
            assumptions,
        ),
    )


@dataclass(frozen=True, slots=True)
class _Regression:
    """What all hypotheses share."""

    assumptions: Assumptions
    times_NE: Array
    """How often each entry stands in each network, over the network's latency."""
    changes_NB: Array
    """Changes of layout, over each network's latency."""
    is_kin_N: Array
    """1 for networks of one candidate throughout, else 0."""
    prior_E: Array
    """Variance of the relative corrections at scale 1, without that of the level."""
    noise_NN: Array
    """Covariance of the networks, layouts included, beside entries and their own errors."""

    def posteriors(self, cost_us: float, log_prior: float, left_E: Array) -> Iterator[_Posterior]:
        """Yield what the networks say for each scale of corrections and of networks' own errors.

        Args:
            cost_us: what a node costs.
            log_prior: how probable that is.
            left_E: what the profile says of the entries without it, in any unit.
        """
        assumptions = self.assumptions
        left_E = left_E / np.median(self.times_NE @ left_E)
        shares_NE = self.times_NE * left_E
        sums_N = shares_NE.sum(1)
        gap_N = 1 - sums_N
        prior_EN = self.prior_E[:, None] * shares_NE.T
        entries_NN = shares_NE @ prior_EN
        level_variance = assumptions.level_sigma**2
        rest_NN = level_variance * np.outer(sums_N, sums_N) + self.noise_NN
        for scale, network_sigma in product(assumptions.correction_scales, assumptions.network_sigmas):
            covariance_NN = scale**2 * entries_NN + rest_NN + network_sigma**2 * np.eye(len(gap_N))
            inverse_NN = np.linalg.inv(covariance_NN)
            pull_N = inverse_NN @ gap_N
            correction_E = scale**2 * prior_EN @ pull_N + level_variance * sums_N @ pull_N
            log_likelihood = -0.5 * (gap_N @ pull_N + np.linalg.slogdet(covariance_NN)[1])
            yield _Posterior(
                cost_us,
                log_prior + float(log_likelihood),
                left_E * np.maximum(1 + correction_E, 0),
                assumptions.layout_sigma**2 * pull_N @ self.changes_NB,
                assumptions.kin_sigma**2 * float(pull_N @ self.is_kin_N),
                pull_N / np.diag(inverse_NN),
                1 / np.diag(inverse_NN),
            )


def _regression(
    keys: Sequence[str], networks: Sequence[Observed], space: SearchSpace, assumptions: Assumptions
) -> _Regression:
    latency_N = np.array([network.latency_units for network in networks])
    counters = [layout_changes(space, channel_block) for channel_block in assumptions.channel_blocks]
    changes_NB = np.array([[one.surplus(each.workload) for one in counters] for each in networks])
    changes_NB /= latency_N[:, None]
    is_kin_N = np.array([network.is_kin for network in networks], dtype=float)
    error_N = np.array([network.relative_error for network in networks])
    noise_NN = np.diag(error_N**2) + assumptions.kin_sigma**2 * np.outer(is_kin_N, is_kin_N)
    noise_NN += assumptions.layout_sigma**2 * changes_NB @ changes_NB.T
    in_layers = {placed.key for row in space.candidate_segments() for placed in row}
    is_fixed_E = np.array([key not in in_layers for key in keys])
    return _Regression(
        assumptions,
        _occurrences(keys, networks) / latency_N[:, None],
        changes_NB,
        is_kin_N,
        assumptions.entry_sigma**2 + assumptions.fixed_sigma**2 * is_fixed_E,
        noise_NN,
    )


def _network_sigma(
    networks: Sequence[Observed], left_out_N: Array, variance_N: Array, assumptions: Assumptions
) -> float:
    """Return the relative error of a network that was not measured.

    It is what the regression expects of covers left out, their own measuring noise not counted; more, if
    covers left out lie further away than expected; and what all of a table is off together.
    """
    is_cover_N = np.array([not network.is_kin for network in networks])
    noise_N = np.array([network.relative_error for network in networks])
    expected = math.sqrt(float(np.mean((variance_N - noise_N**2)[is_cover_N])))
    surprise = float(np.median((np.abs(left_out_N) / np.sqrt(variance_N))[is_cover_N])) / MEDIAN_SIZE
    noise = assumptions.shared_part * float(np.median(noise_N[is_cover_N]))
    return math.hypot(expected * max(1.0, surprise), min(noise, assumptions.max_shared_sigma))


def _occurrences(keys: Sequence[str], networks: Sequence[Observed]) -> Array:
    """Return how often each entry stands in each network."""
    column = {key: index for index, key in enumerate(keys)}
    times_NE = np.zeros((len(networks), len(keys)))
    for row_E, network in zip(times_NE, networks, strict=True):
        for key in network.workload.segment_keys():
            if key != IDENTITY_KEY:
                row_E[column[key]] += 1
    return times_NE
