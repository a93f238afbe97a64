"""Networks that theta draws within the limits.

Shape letters: L layers, K candidates.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from search_server.nas.budget.caps import Cap, is_within
from search_server.nas.budget.projection import hold, undecided
from search_server.nas.supernet.paths import entropy_L, log_probabilities
from search_server.nas.supernet.supernet import Supernet
from shared.architecture import Architecture


def drawn_architectures(
    supernet: Supernet,
    caps: Sequence[Cap],
    num_networks: int,
    generator: torch.Generator,
    *,
    least_share: float = 0.0,
    least_entropy: float = 0.0,
    num_draws: int = 2000,
) -> Iterator[Architecture]:
    """Draw distinct networks from softmax(theta) that keep all caps and use enough of one of them.

    Yields fewer than ``num_networks`` if ``num_draws`` draws do not give as many.

    Args:
        supernet: theta, and the space; neither is changed.
        caps: limits, kept by each network.
        num_networks: how many networks are wanted.
        generator: the source of the draws.
        least_share: each uses so much of some limit, 0..1.
        least_entropy: see :func:`drawing_probabilities`.
        num_draws: at most.
    """
    probability_LK = drawing_probabilities(supernet, caps, least_entropy)
    seen: set[tuple[str, ...]] = set()
    num_found = 0
    for _ in range(num_draws):
        if num_found >= num_networks:
            return
        indices_L = torch.multinomial(probability_LK, 1, generator=generator).flatten().tolist()
        architecture = supernet.architecture_at(indices_L)
        if architecture.blocks not in seen and is_within(caps, architecture, least_share):
            num_found += 1
            yield architecture
        seen.add(architecture.blocks)


def drawing_probabilities(supernet: Supernet, caps: Sequence[Cap], least_entropy: float) -> Tensor:
    """Return the probabilities ``(L, K)`` that networks are drawn with.

    They are those of theta. A theta whose layers have less entropy in the mean than ``least_entropy``, a
    share of log K, is made less decided, with the same leanings and its mean costs at the caps.
    """
    theta_LK = supernet.theta_LK.detach()
    least_nats = least_entropy * math.log(theta_LK.shape[1])
    if float(entropy_L(theta_LK).mean()) < least_nats:
        theta_LK = undecided(theta_LK)
        hold(theta_LK, caps, least_nats)
    return log_probabilities(theta_LK).exp()
