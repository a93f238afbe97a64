"""A tryout: a few networks train from scratch for half an epoch, and their loss ranks them.

That tells networks apart about as well as the theta of a short search does. It also tells how well a
network begins with the very weights and images that it will be trained with (docs/searching.md).

Source: Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization"
(arXiv 1502.07943): those that do well early train on.
"""

import math
from collections.abc import Callable, Sequence

import torch

from search_server.nas.data.batches import evaluation_batches, training_batches
from search_server.nas.data.images import DataSplits, ImageSource
from search_server.nas.train import TrainConfig, cross_entropy, train
from shared.architecture import Architecture
from shared.modules import network_module

TRYOUT_EPOCHS = 0.5
MIN_STEPS = 20
"""A tryout on few images takes more epochs, up to so many steps: before, all networks guess."""


def rank_by_tryout(
    networks: Sequence[Architecture],
    data: DataSplits,
    batch_size: int,
    seed: int,
    accelerator: torch.device,
    mixed_precision: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    losses_of: Callable[[Sequence[Architecture]], Sequence[float]] | None = None,
) -> list[Architecture]:
    """Return networks by rising cross entropy on the choosing split, after a short training of each.

    Args:
        networks: what to compare; one alone is not trained.
        data: they train on the splits for weights and theta together.
        batch_size: images of a step.
        seed: of fresh weights and of the images, the same for all.
        accelerator: what computes.
        mixed_precision: forward passes under bf16 autocast.
        tell: called before each training.
        losses_of: tries networks out elsewhere, by :func:`tryout_loss` of the same arguments; None: here.
    """
    if len(networks) < 2:
        return list(networks)
    if losses_of is not None:
        losses = list(losses_of(networks))
    else:
        losses = []
        for index, network in enumerate(networks):
            tell(f"trying out network {index + 1} of {len(networks)}")
            losses.append(tryout_loss(network, data, batch_size, seed, accelerator, mixed_precision))
    order = sorted(range(len(networks)), key=losses.__getitem__)
    return [networks[index] for index in order]


def tryout_loss(
    network: Architecture,
    data: DataSplits,
    batch_size: int,
    seed: int,
    accelerator: torch.device,
    mixed_precision: bool = False,
) -> float:
    """Return the cross entropy of a network on the choosing split after a short training, nats."""
    images, epochs = tryout_images(data.training, batch_size, seed)
    module = network_module(network.workload(), torch.Generator().manual_seed(seed)).to(accelerator)
    batches = training_batches(images, batch_size, seed)
    for _ in train(module, batches, TrainConfig(epochs, mixed_precision=mixed_precision)):
        pass
    return cross_entropy(module, evaluation_batches(data.validation), mixed_precision)


def tryout_images(source: ImageSource, batch_size: int, seed: int) -> tuple[ImageSource, int]:
    """Return the images of a tryout, and how often it sees them."""
    num_images = len(source.labels_N)
    wanted = max(round(TRYOUT_EPOCHS * num_images), MIN_STEPS * batch_size)
    if wanted >= num_images:
        return source, math.ceil(wanted / num_images)
    order = torch.randperm(num_images, generator=torch.Generator().manual_seed(seed))
    return source.select(order[:wanted].tolist()), 1
