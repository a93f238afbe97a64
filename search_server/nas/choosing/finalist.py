"""How a network is trained that others are compared with: from scratch, or on from the supernet's weights.

The supernet has trained most what theta drew most, so inherited weights favour the found network over its
baselines; they are ahead where epochs are few. What is compared is trained in one way, all of it, at one
rate: inherited weights of a short search gained nothing from a lower one.
"""

from typing import Literal

import torch

from search_server.nas.choosing.sample import inherit, recalibrate
from search_server.nas.data.batches import evaluation_batches
from search_server.nas.data.images import DataSplits, ImageSource
from search_server.nas.supernet.supernet import Supernet
from shared.architecture import Architecture
from shared.modules import NetworkModule, network_module

TrainingName = Literal["scratch", "inherit"]

NUM_STATISTICS_IMAGES = 512
"""On which the batch-norm statistics of inherited weights are taken."""


def finalist_network(
    architecture: Architecture,
    supernet: Supernet,
    data: DataSplits,
    seed: int,
    training: TrainingName,
    mixed_precision: bool = False,
) -> NetworkModule:
    """Return a network as its training begins, where the supernet is.

    Args:
        architecture: the network.
        supernet: whose weights are inherited.
        data: inherited batch norms take their statistics anew on the split for weights.
        seed: of fresh weights.
        training: ``scratch``: fresh weights; ``inherit``: those of the supernet.
        mixed_precision: the statistics are taken under bf16 autocast.
    """
    if training == "scratch":
        fresh = network_module(architecture.workload(), torch.Generator().manual_seed(seed))
        return fresh.to(supernet.accelerator)
    network = inherit(supernet, architecture)
    recalibrate(network, evaluation_batches(spread_images(data.weights)), mixed_precision)
    return network


def spread_images(source: ImageSource) -> ImageSource:
    """Return ``NUM_STATISTICS_IMAGES`` images or a few more, evenly from a source."""
    num_images = len(source.labels_N)
    return source.select(range(0, num_images, max(1, num_images // NUM_STATISTICS_IMAGES)))
