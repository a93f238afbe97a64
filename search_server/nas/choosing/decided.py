"""The network that a search decides on: the most probable one that keeps the limits.

Shape letters: L layers, K candidates.
"""

from collections.abc import Sequence

from search_server.nas.budget.caps import Cap, Matrix, amount, is_within
from search_server.nas.budget.knapsack import most_probable_within, networks_within
from search_server.nas.supernet.paths import log_probabilities
from search_server.nas.supernet.supernet import Supernet
from shared.architecture import Architecture
from shared.search_space import SearchSpace

SUM_ERROR = 0.1
"""A network is looked at whose sum over layers is so far off a limit, as a share: predicted whole, networks
of one candidate throughout take up to a twentieth less than their sum."""


def decided_architecture(
    supernet: Supernet, caps: Sequence[Cap] = (), least_share: float = 0.0
) -> Architecture:
    """Return the most probable network among those that are predicted to keep all caps.

    Args:
        supernet: theta, and the space.
        caps: limits; none: the most probable network of all.
        least_share: see :func:`best_network`.

    Raises:
        ValueError: no network keeps all caps.
    """
    if not caps:
        return supernet.architecture()
    log_p_LK = log_probabilities(supernet.theta_LK.detach()).double().cpu().numpy()
    return best_network(supernet.space, log_p_LK, caps, least_share)


def best_network(
    space: SearchSpace, score_LK: Matrix, caps: Sequence[Cap], least_share: float = 0.0
) -> Architecture:
    """Return the network of the largest sum of scores among those that are predicted to keep all caps.

    Where predictions leave none, it is the best of those whose sums keep them.

    Args:
        space: of the network.
        score_LK: what each candidate is worth in each layer.
        caps: limits, at least one.
        least_share: the network uses so much of some limit, 0..1; gives way if no network does.

    Raises:
        ValueError: no network keeps all caps.
    """
    wide = [cap if cap.predict is None else cap.with_limit((1 + SUM_ERROR) * cap.limit) for cap in caps]
    for share in (least_share, 0.0):
        for indices in networks_within(score_LK, wide, share * (1 - SUM_ERROR) / (1 + SUM_ERROR)):
            network = _network(space, indices)
            if is_within(caps, network, share):
                return network
    indices_by_sum = most_probable_within(score_LK, caps)
    if indices_by_sum is not None:
        return _network(space, indices_by_sum)
    limits = " and ".join(f"{amount(cap.limit, cap.unit)} of {cap.name}" for cap in caps)
    least = ", ".join(f"{amount(cap.least, cap.unit)} of {cap.name}" for cap in caps)
    raise ValueError(
        f"no network of space {space.name!r} is predicted to keep within {limits}; "
        f"the least of each is {least}; raise a limit"
    )


def _network(space: SearchSpace, indices: Sequence[int]) -> Architecture:
    return Architecture(space, tuple(space.candidates[index] for index in indices))
