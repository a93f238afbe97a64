"""What the profiler probably adds to each node that it times, before whole networks tell.

It works between nodes as well, where it can be seen, and that tells what it probably adds to one.

Shape letters: E entries.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

NODE_COST_SIGMA_US = 10.0
"""What a profiler adds to each node, at most, where nothing is known of it."""
COST_SHARE, COST_SHARE_SIGMA = 0.68, 0.03
"""What it probably adds, as a share of what a profiled run takes between two nodes (docs/measuring.md)."""
DOUBT = 0.01
"""How probable it is that this device knows no such share."""
NUM_NODE_COSTS, NUM_LIKELY_COSTS = 30, 9
"""Tried from 0 up to all that a quarter of the entries have a node, and around what is likely."""

Array = NDArray[np.float64]


def node_costs(node_us_E: Array, between_nodes_us: float | None) -> Iterator[tuple[float, float]]:
    """Yield what a node may cost, us, and the logarithm of how probable that is before the networks speak.

    Args:
        node_us_E: what a node of each entry takes under the profiler.
        between_nodes_us: what a profiled run takes between two nodes; None where it is not known.
    """
    wide_us = np.linspace(0.0, float(np.quantile(node_us_E, 0.25)), NUM_NODE_COSTS)
    shares = COST_SHARE + COST_SHARE_SIGMA * np.linspace(-2, 2, NUM_LIKELY_COSTS)
    costs_us = np.unique([*wide_us, *(between_nodes_us or 0.0) * shares])
    # Where a quarter of the entries show no time at all, a node can cost nothing but 0.
    widths_us = np.gradient(costs_us) if len(costs_us) > 1 else np.ones(1)
    for cost_us, width_us in zip(costs_us, widths_us, strict=True):
        yield float(cost_us), math.log(width_us) + _log_density(float(cost_us), between_nodes_us)


def _log_density(cost_us: float, between_nodes_us: float | None) -> float:
    """Return the logarithm of the prior density of a node's cost, but for a constant."""
    wide = -0.5 * (cost_us / NODE_COST_SIGMA_US) ** 2 - math.log(NODE_COST_SIGMA_US)
    if not between_nodes_us:
        return wide
    away = (cost_us / between_nodes_us - COST_SHARE) / COST_SHARE_SIGMA
    near = -0.5 * away**2 - math.log(COST_SHARE_SIGMA * between_nodes_us)
    return float(np.logaddexp(math.log(DOUBT) + wide, math.log(1 - DOUBT) + near))
