"""The shortlist of a search: the decided network and others that theta draws, ranked by short trainings.

Networks train from scratch for it. Weights inherited from the supernet tell poor networks from good ones,
which theta knows already, and tell nothing among those that theta draws (docs/searching.md).
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import torch

from search_server.nas.budget.caps import Cap
from search_server.nas.choosing.decided import decided_architecture
from search_server.nas.choosing.drawn import drawn_architectures
from search_server.nas.choosing.tryout import rank_by_tryout
from search_server.nas.data.images import DataSplits
from search_server.nas.supernet.supernet import Supernet
from shared.architecture import Architecture

DRAWING_ENTROPY = 0.5
"""As a share of log K. A decided theta draws the same few networks again and again."""


def shortlist(
    supernet: Supernet,
    caps: Sequence[Cap] | None,
    data: DataSplits,
    num_networks: int,
    seed: int,
    least_share: float,
    batch_size: int = 32,
    mixed_precision: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    losses_of: Callable[[Sequence[Architecture]], Sequence[float]] | None = None,
) -> list[Architecture]:
    """Return distinct networks, the best after a short training first.

    With caps all of them keep these: the decided one, the most probable of all that do, and others that
    theta draws, made less decided for it. Without, they are what theta draws as it is.

    Args:
        supernet: theta; what computes is where it is.
        caps: limits, at least one; None: networks are drawn without looking at what they cost.
        data: networks train on the splits for weights and theta, and are judged on that for choosing.
        num_networks: how many, at most.
        seed: of the drawing and of the short trainings.
        least_share: with caps, they use at least such a share of some limit, 0..1.
        batch_size: of the short trainings.
        mixed_precision: forward passes under bf16 autocast.
        tell: called before each short training.
        losses_of: tries networks out elsewhere; see ``rank_by_tryout``.

    Raises:
        ValueError: no network keeps all caps.
    """
    generator = torch.Generator().manual_seed(seed)
    listed: Iterable[Architecture]
    if caps is None:
        listed = drawn_architectures(supernet, (), num_networks, generator)
    else:
        drawn = drawn_architectures(
            supernet,
            caps,
            num_networks,
            generator,
            least_share=least_share,
            least_entropy=DRAWING_ENTROPY,
        )
        listed = chain([decided_architecture(supernet, caps, least_share)], drawn)
    networks: dict[str, Architecture] = {}
    for network in listed:
        networks.setdefault(network.workload().key, network)  # identities may stand in other layers
    return rank_by_tryout(
        list(networks.values())[:num_networks],
        data,
        batch_size,
        seed,
        supernet.accelerator,
        mixed_precision,
        tell,
        losses_of,
    )
