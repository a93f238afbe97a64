"""The shortlist of a search: the decided network, and the best of others that theta draws beside it."""

from collections.abc import Sequence
from itertools import chain

import torch

from search_server.nas.batches import evaluation_batches
from search_server.nas.caps import Cap
from search_server.nas.images import DataSplits, ImageSource
from search_server.nas.sample import decided_architecture, rank, sample_architectures
from search_server.nas.supernet import Supernet
from shared.architecture import Architecture

NUM_STATISTICS_IMAGES = 1024
"""On which the batch-norm statistics of each network are taken: more would cost more than the ranking."""


def shortlist(
    supernet: Supernet,
    caps: Sequence[Cap],
    data: DataSplits,
    num_networks: int,
    seed: int,
    least_load: float,
    mixed_precision: bool = False,
) -> list[Architecture]:
    """Return distinct networks that keep all caps, the best with inherited weights first.

    The decided one, the most probable of all that keep the caps, is always among them.

    Args:
        supernet: theta and weights.
        caps: limits, at least one.
        data: statistics are taken on images of the split for weights, losses on that for choosing.
        num_networks: how many, at most.
        seed: of the drawing.
        least_load: they use at least such a share of some limit, 0..1.
        mixed_precision: they are ranked by forward passes under bf16 autocast.

    Raises:
        ValueError: no network keeps all caps.
    """
    decided = decided_architecture(supernet, caps, least_load)
    generator = torch.Generator().manual_seed(seed)
    drawn = sample_architectures(supernet, caps, num_networks, generator, least_load=least_load)
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
    return [network for network in in_order if network == decided or network in others]


def spread_images(source: ImageSource) -> ImageSource:
    """Return ``NUM_STATISTICS_IMAGES`` images or a few more, evenly from a source."""
    num_images = len(source.labels_N)
    return source.select(range(0, num_images, max(1, num_images // NUM_STATISTICS_IMAGES)))
