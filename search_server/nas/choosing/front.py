"""The targets of a front: from fast networks up to the one that is best whatever it takes."""

import numpy as np

LEAST_SHARE_OF_RANGE = 0.05
"""Where a front begins: so far from the fastest network towards the best, in the range of latencies."""


def front_targets_us(fastest_us: float, best_us: float, points: int) -> list[float]:
    """Return targets in even ratios, from a little above the fastest network to that of the best one.

    Args:
        fastest_us: latency of the fastest network.
        best_us: latency of the best network; slower ones are no better.
        points: how many, at least two.
    """
    least_us = fastest_us + LEAST_SHARE_OF_RANGE * (best_us - fastest_us)
    targets_us: list[float] = np.geomspace(least_us, best_us, points).tolist()
    return targets_us
