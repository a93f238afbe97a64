"""What the profiler probably adds to each node that it times, before whole networks tell.

It works between nodes as well, where it can be seen, and that tells what it probably adds to one.

Shape letters: E entries.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from search_server.latency.estimate.assumptions import Assumptions

Array = NDArray[np.float64]


def node_costs(
    node_us_E: Array, between_nodes_us: float | None, assumptions: Assumptions
) -> Iterator[tuple[float, float]]:
    """Yield what a node may cost, us, and the logarithm of how probable that is before the networks speak.

    Args:
        node_us_E: what a node of each entry takes under the profiler.
        between_nodes_us: what a profiled run takes between two nodes; None where it is not known.
        assumptions: which costs are tried, and what is known of them.
    """
    wide_us = np.linspace(0.0, float(np.quantile(node_us_E, 0.25)), assumptions.num_wide_costs)
    shares = assumptions.cost_share + assumptions.cost_share_sigma * np.array(assumptions.likely_cost_steps)
    costs_us = np.unique([*wide_us, *(between_nodes_us or 0.0) * shares])
    # Where a quarter of the entries show no time at all, a node can cost nothing but 0.
    widths_us = np.gradient(costs_us) if len(costs_us) > 1 else np.ones(1)
    for cost_us, width_us in zip(costs_us, widths_us, strict=True):
        density = _log_density(float(cost_us), between_nodes_us, assumptions)
        yield float(cost_us), math.log(width_us) + density


def _log_density(cost_us: float, between_nodes_us: float | None, assumptions: Assumptions) -> float:
    """Return the logarithm of the prior density of a node's cost, but for a constant."""
    sigma_us = assumptions.node_cost_sigma_us
    wide = -0.5 * (cost_us / sigma_us) ** 2 - math.log(sigma_us)
    if not between_nodes_us:
        return wide
    away = (cost_us / between_nodes_us - assumptions.cost_share) / assumptions.cost_share_sigma
    near = -0.5 * away**2 - math.log(assumptions.cost_share_sigma * between_nodes_us)
    doubt = assumptions.doubt
    return float(np.logaddexp(math.log(doubt) + wide, math.log(1 - doubt) + near))
