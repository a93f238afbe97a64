"""The largest network within the limits: by multiply-accumulates, by parameters, or by both. No supernet.

Compute per millisecond is most of what a search finds, and the table gives it for nothing.

Shape letters: L layers, K candidates.
"""

from collections.abc import Sequence

from search_server.nas.budget.caps import Cap, Matrix, macs_cap, params_cap
from search_server.nas.choosing.decided import best_network
from search_server.search_options import MostName
from shared.architecture import Architecture
from shared.search_space import SearchSpace


def most_network(space: SearchSpace, caps: Sequence[Cap], most: MostName) -> Architecture:
    """Return the network with the most of something among those that are predicted to keep all caps.

    Decoding is exact but for networks whose predictions differ by less than a step of the knapsack.

    Args:
        space: of the network.
        caps: limits, at least one.
        most: ``both`` adds up the shares that a network has of the largest one's MACs and parameters.

    Raises:
        ValueError: no network keeps all caps.
    """
    return best_network(space, share_LK(space, most), caps)


def share_LK(space: SearchSpace, most: MostName) -> Matrix:
    """Return what each candidate adds to a network, as a share of what the largest network has."""
    macs, params = macs_cap(space, 1.0), params_cap(space, 1.0)
    macs_LK, params_LK = (cap.cost_LK / max(cap.most, 1.0) for cap in (macs, params))
    if most == "both":
        return macs_LK + params_LK
    return macs_LK if most == "macs" else params_LK
