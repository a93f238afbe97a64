"""How the training of a compared network begins: from fresh weights, or from those of the supernet.

Inherited weights are ahead where epochs are few. They favour the found network over its baselines, since
the supernet trains most what theta draws most. All networks that are compared train alike.

Shape letters: N batch, C channels, H height, W width.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from search_server.nas.data.batches import Batch, evaluation_batches
from search_server.nas.data.images import DataSplits, ImageSource
from search_server.nas.supernet.accelerator import accelerator_of, forward_precision, placed
from search_server.nas.supernet.supernet import Supernet
from shared.architecture import Architecture
from shared.modules import NetworkModule, network_module, to_channels_last
from shared.workload import Workload

NUM_STATISTICS_IMAGES = 512
"""On which the batch-norm statistics of inherited weights are taken."""


def finalist_network(
    workload: Workload,
    inherited: Mapping[str, Tensor] | None,
    data: DataSplits,
    seed: int,
    accelerator: torch.device,
    mixed_precision: bool = False,
) -> NetworkModule:
    """Return a network as its training begins.

    Args:
        workload: the network.
        inherited: its weights in a supernet, from ``Supernet.extract_weights``; None: fresh weights.
        data: inherited batch norms take their statistics anew on the split for weights.
        seed: of fresh weights.
        accelerator: where the network is to be.
        mixed_precision: the statistics are taken under bf16 autocast.
    """
    if inherited is None:
        return network_module(workload, torch.Generator().manual_seed(seed)).to(accelerator)
    network = NetworkModule(workload).to(accelerator)
    network.load_state_dict(inherited)
    recalibrate(network, evaluation_batches(spread_images(data.weights)), mixed_precision)
    return network


def inherit(supernet: Supernet, architecture: Architecture) -> NetworkModule:
    """Return a stand-alone network with the supernet's weights, where these are."""
    network = NetworkModule(architecture.workload()).to(supernet.accelerator)
    network.load_state_dict(supernet.extract_weights(architecture))
    return network


@torch.no_grad()
def recalibrate(network: NetworkModule, batches: Iterable[Batch], mixed_precision: bool = False) -> None:
    """Replace the running statistics of all batch norms by plain means over the batches."""
    norms = [part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    to_channels_last(network)
    accelerator = accelerator_of(network)
    for batch in batches:
        images_NCHW, _ = placed(batch, accelerator)
        with forward_precision(accelerator, mixed_precision):
            network(images_NCHW.to(memory_format=torch.channels_last))
    for norm in norms:
        norm.momentum = 0.1


def spread_images(source: ImageSource) -> ImageSource:
    """Return ``NUM_STATISTICS_IMAGES`` images or a few more, evenly from a source."""
    num_images = len(source.labels_N)
    return source.select(range(0, num_images, max(1, num_images // NUM_STATISTICS_IMAGES)))
