"""The shortlist of a search: the decided network and others that theta draws, ranked twice.

Inherited weights rank many networks at little cost, and pick those that train for a short time; that has
the last word.
"""

from collections.abc import Callable, Sequence
from itertools import chain

import torch

from search_server.nas.batches import evaluation_batches
from search_server.nas.caps import Cap
from search_server.nas.images import DataSplits, ImageSource
from search_server.nas.sample import decided_architecture, rank, sample_architectures
from search_server.nas.supernet import Supernet
from search_server.nas.tryout import rank_by_tryout
from shared.architecture import Architecture

NUM_STATISTICS_IMAGES = 512
"""On which the batch-norm statistics of each network are taken: more would cost more than the ranking."""

NUM_DRAWN_EACH = 3
"""So many networks are drawn for each that is listed."""
DRAWING_ENTROPY = 0.5
"""As a share of log K. A decided theta draws the same few networks again and again."""


def shortlist(
    supernet: Supernet,
    caps: Sequence[Cap],
    data: DataSplits,
    num_networks: int,
    seed: int,
    least_load: float,
    batch_size: int = 32,
    mixed_precision: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Architecture]:
    """Return distinct networks that keep all caps, the best after a short training first.

    The decided one, the most probable of all that keep the caps, is always among them. The others are, of
    three times as many that theta draws, those with the least loss under inherited weights.

    Args:
        supernet: theta and weights.
        caps: limits, at least one.
        data: statistics are taken on images of the split for weights, losses on that for choosing.
        num_networks: how many, at most.
        seed: of the drawing and of the short trainings.
        least_load: they use at least such a share of some limit, 0..1.
        batch_size: of the short trainings.
        mixed_precision: forward passes under bf16 autocast.
        tell: called with what is being done, before each short training.

    Raises:
        ValueError: no network keeps all caps.
    """
    decided = decided_architecture(supernet, caps, least_load)
    generator = torch.Generator().manual_seed(seed)
    drawn = sample_architectures(
        supernet,
        caps,
        NUM_DRAWN_EACH * num_networks,
        generator,
        least_load=least_load,
        least_entropy=DRAWING_ENTROPY,
    )
    networks: dict[str, Architecture] = {}
    for network in chain([decided], drawn):
        networks.setdefault(network.workload().key, network)  # identities may stand in other layers
    ranked = rank(
        supernet,
        networks.values(),
        caps[0].cost,
        evaluation_batches(spread_images(data.weights)),
        evaluation_batches(data.validation),
        mixed_precision,
    )
    in_order = [each.architecture for each in ranked]
    others = [network for network in in_order if network != decided][: num_networks - 1]
    return rank_by_tryout(
        [decided, *others], data, batch_size, seed, supernet.accelerator, mixed_precision, tell
    )


def spread_images(source: ImageSource) -> ImageSource:
    """Return ``NUM_STATISTICS_IMAGES`` images or a few more, evenly from a source."""
    num_images = len(source.labels_N)
    return source.select(range(0, num_images, max(1, num_images // NUM_STATISTICS_IMAGES)))
