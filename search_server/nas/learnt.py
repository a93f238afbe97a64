"""What a search has learnt, from its checkpoint: what each candidate is worth, and weights to inherit.

Shape letters: L layers, K candidates.
"""

from dataclasses import dataclass
from typing import IO

import torch

from search_server.nas.budget.caps import Matrix
from search_server.nas.choosing.most import share_LK
from search_server.nas.supernet.paths import log_probabilities
from search_server.nas.supernet.supernet import Supernet
from search_server.nas.theta.effects import BlockEffects
from search_server.search_options import SearchOptions
from shared.search_space import SearchSpace


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """What each candidate in each layer is worth to a network: more is better, and sums count."""

    score_LK: Matrix
    are_effects: bool
    """The scores are effects on cross entropy, nats, with their signs turned. Else they are
    log-probabilities of a theta that leans towards the latencies of its own search, or shares of
    compute."""


def load_learnt(checkpoint: IO[bytes] | None, space: SearchSpace, options: SearchOptions) -> Learnt:
    """Return what a search knows of the candidates.

    Args:
        checkpoint: of the search; None where it trained no supernet.
        space: of the search.
        options: of the search.
    """
    if checkpoint is None:
        return Learnt(share_LK(space, options.most), are_effects=False)
    saved = _saved(checkpoint)
    if saved["effects"]["gram"].any():
        effects = BlockEffects(space)
        effects.load_state_dict(saved["effects"])
        return Learnt(-effects.effects_LK().numpy(), are_effects=True)
    log_p_LK = log_probabilities(saved["supernet"]["theta_LK"].double())
    return Learnt(log_p_LK.numpy(), are_effects=False)


def load_supernet(
    checkpoint: IO[bytes], space: SearchSpace, options: SearchOptions, accelerator: torch.device
) -> Supernet:
    """Return the trained supernet of a search."""
    supernet = Supernet(space, options.weights, torch.Generator())
    supernet.load_state_dict(_saved(checkpoint)["supernet"])
    supernet.place(accelerator)
    return supernet


def _saved(checkpoint: IO[bytes]) -> dict[str, dict[str, torch.Tensor]]:
    saved: dict[str, dict[str, torch.Tensor]] = torch.load(checkpoint, weights_only=True)
    return saved
