"""One network is trained, from scratch or from inherited weights, and evaluated.

All networks that are compared train alike: SGD with Nesterov momentum, a cosine with a short linear rise,
label smoothing, and no weight decay on batch norms and biases.

Shape letters: N batch, C classes.
"""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from search_server.nas.data.batches import Batch, Batches
from search_server.nas.supernet.accelerator import accelerator_of, forward_precision, placed, repeatable
from shared.modules import to_channels_last


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How a network is trained."""

    epochs: int = 30
    lr: float = 0.1
    """At its largest; about right for batches of 32."""
    rise: float = 0.1
    """Share of the steps in which the rate climbs to ``lr``."""
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    mixed_precision: bool = False
    """Forward passes under bf16 autocast."""

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {self.epochs}")
        if not self.lr > 0:
            raise ValueError(f"lr must be above 0, got {self.lr}")
        if not 0 <= self.rise < 1:
            raise ValueError(f"rise must lie in 0..1 (below 1), got {self.rise}")


@dataclass(frozen=True, slots=True)
class TrainEpochFacts:
    """One epoch of training, with means over it."""

    epoch: int
    loss: float
    accuracy: float
    """On the augmented training images, while they were learnt, 0..1."""
    lr: float
    images_per_s: float


def train(network: nn.Module, batches: Batches, config: TrainConfig) -> Iterator[TrainEpochFacts]:
    """Train a network in place, where its weights are, and yield facts after each epoch.

    The same network state and batches give the same weights. To fine-tune, load a state first, and give
    a lower ``lr``.
    """
    accelerator = accelerator_of(network)
    optimiser = _optimiser(network, config)
    num_steps = config.epochs * len(batches)
    step = 0
    to_channels_last(network)
    for epoch in range(config.epochs):
        started = time.perf_counter()
        network.train()
        losses, num_correct, num_images, lr = [], 0, 0, 0.0
        for batch in batches:
            images_NCHW, labels_N = placed(batch, accelerator)
            lr = _set_rate(optimiser, config, step / num_steps)
            with repeatable():
                with forward_precision(accelerator, config.mixed_precision):
                    logits_NC = network(images_NCHW.to(memory_format=torch.channels_last))
                loss = F.cross_entropy(logits_NC.float(), labels_N, label_smoothing=config.label_smoothing)
                optimiser.zero_grad()
                torch.autograd.backward(loss)
            optimiser.step()
            losses.append(float(loss.detach()))
            num_correct += int((logits_NC.argmax(1) == labels_N).sum())
            num_images += len(labels_N)
            step += 1
        seconds = time.perf_counter() - started
        yield TrainEpochFacts(
            epoch, sum(losses) / len(losses), num_correct / num_images, lr, num_images / seconds
        )


def evaluate(network: nn.Module, batches: Iterable[Batch], mixed_precision: bool = False) -> float:
    """Return the share of images that a network names correctly, 0..1, in evaluation mode."""
    num_correct = num_images = 0
    for logits_NC, labels_N in _outputs(network, batches, mixed_precision):
        num_correct += int((logits_NC.argmax(1) == labels_N).sum())
        num_images += len(labels_N)
    return num_correct / num_images


def cross_entropy(network: nn.Module, batches: Iterable[Batch], mixed_precision: bool = False) -> float:
    """Return the mean cross entropy of a network, nats, in evaluation mode."""
    total, num_images = 0.0, 0
    for logits_NC, labels_N in _outputs(network, batches, mixed_precision):
        total += float(F.cross_entropy(logits_NC.float(), labels_N, reduction="sum"))
        num_images += len(labels_N)
    return total / num_images


def _outputs(
    network: nn.Module, batches: Iterable[Batch], mixed_precision: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield logits and labels in evaluation mode."""
    network.eval()
    accelerator = accelerator_of(network)
    for batch in batches:
        images_NCHW, labels_N = placed(batch, accelerator)
        with torch.no_grad(), forward_precision(accelerator, mixed_precision):
            logits_NC: Tensor = network(images_NCHW.to(memory_format=torch.channels_last))
        yield logits_NC, labels_N


def _optimiser(network: nn.Module, config: TrainConfig) -> torch.optim.SGD:
    decayed = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.momentum > 0)


def _set_rate(optimiser: torch.optim.SGD, config: TrainConfig, progress: float) -> float:
    if progress < config.rise:
        share = (progress + 1e-3) / config.rise
    else:
        share = 0.5 * (1 + math.cos(math.pi * (progress - config.rise) / (1 - config.rise)))
    for group in optimiser.param_groups:
        group["lr"] = config.lr * min(1.0, share)
    return config.lr * min(1.0, share)
