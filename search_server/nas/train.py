"""One network is trained, from scratch or from inherited weights, and evaluated.

All networks that are compared train alike: SGD with Nesterov momentum, a cosine with a short linear rise,
label smoothing, and no weight decay on batch norms and biases. If asked for, images are blended (mixup,
arXiv 1710.09412), weights are averaged, and a teacher is listened to.

Shape letters: N batch, C classes, H height, W width.
"""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from search_server.nas.data.batches import Batch, Batches
from search_server.nas.supernet.accelerator import accelerator_of, forward_precision, placed, repeatable
from search_server.nas.teacher import Teacher
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
    mixup: float = 0.0
    """Both parameters of the Beta distribution that blends images in pairs; 0 blends none."""
    ema_decay: float = 0.0
    """Of the moving average of weights and statistics that the training ends with; 0 averages none."""
    mixed_precision: bool = False
    """Forward passes under bf16 autocast."""

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {self.epochs}")
        if not self.lr > 0:
            raise ValueError(f"lr must be above 0, got {self.lr}")
        if not 0 <= self.rise < 1:
            raise ValueError(f"rise must lie in 0..1 (below 1), got {self.rise}")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must lie in 0..1 (below 1), got {self.label_smoothing}")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay must lie in 0..1 (below 1), got {self.ema_decay}")
        if self.mixup < 0:
            raise ValueError(f"mixup must be at least 0, got {self.mixup}")


@dataclass(frozen=True, slots=True)
class TrainEpochFacts:
    """One epoch of training, with means over it."""

    epoch: int
    loss: float
    accuracy: float
    """On the augmented training images, while they were learnt, 0..1; of a blend the larger part counts."""
    lr: float
    images_per_s: float


def train(
    network: nn.Module, batches: Batches, config: TrainConfig, teacher: Teacher | None = None
) -> Iterator[TrainEpochFacts]:
    """Train a network in place, where its weights are, and yield facts after each epoch.

    The same network state and batches give the same weights. To fine-tune, load a state first, and give
    a lower ``lr``.
    """
    accelerator = accelerator_of(network)
    optimiser = _optimiser(network, config)
    average = _average(network, config)
    num_steps = config.epochs * len(batches)
    step = 0
    to_channels_last(network)
    for epoch in range(config.epochs):
        started = time.perf_counter()
        network.train()
        blends = np.random.default_rng((batches.seed, epoch))
        losses, num_correct, num_images, lr = [], [], 0, 0.0
        for batch in batches:
            images_NCHW, labels_N = placed(batch, accelerator)
            images_NCHW, share = _blended(images_NCHW, config.mixup, blends)
            images_NCHW = images_NCHW.to(memory_format=torch.channels_last)
            lr = _set_rate(optimiser, config, step / num_steps)
            with repeatable():
                with forward_precision(accelerator, config.mixed_precision):
                    logits_NC = network(images_NCHW)
                loss = _label_loss(logits_NC.float(), labels_N, share, config.label_smoothing)
                if teacher is not None:
                    told = teacher.loss(images_NCHW, logits_NC.float(), config.mixed_precision)
                    loss = (1 - teacher.weight) * loss + teacher.weight * told
                optimiser.zero_grad()
                torch.autograd.backward(loss)
            optimiser.step()
            if average is not None:
                average.update_parameters(network)
            # Read once an epoch: for each reading one waits for a GPU.
            losses.append(loss.detach())
            num_correct.append((logits_NC.argmax(1) == labels_N).sum())
            num_images += len(labels_N)
            step += 1
        mean_loss = sum(torch.stack(losses).cpu().tolist()) / len(losses)
        accuracy = sum(torch.stack(num_correct).cpu().tolist()) / num_images
        if average is not None and epoch == config.epochs - 1:
            network.load_state_dict(average.module.state_dict())
        seconds = time.perf_counter() - started
        yield TrainEpochFacts(epoch, mean_loss, accuracy, lr, num_images / seconds)


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


def _blended(images_NCHW: Tensor, mixup: float, generator: np.random.Generator) -> tuple[Tensor, float]:
    """Return each image blended with its opposite in the batch, and its own share, 0.5..1."""
    if not mixup:
        return images_NCHW, 1.0
    drawn = float(generator.beta(mixup, mixup))
    share = max(drawn, 1 - drawn)
    return torch.lerp(images_NCHW.flip(0), images_NCHW, share), share


def _label_loss(logits_NC: Tensor, labels_N: Tensor, share: float, smoothing: float) -> Tensor:
    """Return the cross entropy of blended images, whose opposites have the rest of the share."""
    loss = F.cross_entropy(logits_NC, labels_N, label_smoothing=smoothing)
    if share == 1.0:
        return loss
    other = F.cross_entropy(logits_NC, labels_N.flip(0), label_smoothing=smoothing)
    return share * loss + (1 - share) * other


def _average(network: nn.Module, config: TrainConfig) -> AveragedModel | None:
    """Return what averages weights and statistics over the steps, None if nothing is averaged."""
    if not config.ema_decay:
        return None

    def follow(averaged: Sequence[Tensor], current: Sequence[Tensor], num_steps: Tensor | int) -> None:
        # At first the average follows closely: the weights that training begins with are worth nothing.
        decay = min(config.ema_decay, (1 + int(num_steps)) / (10 + int(num_steps)))
        for mean, now in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(now, 1 - decay)
            else:  # batch norms count their batches
                mean.copy_(now)

    return AveragedModel(network, multi_avg_fn=follow, use_buffers=True)


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
