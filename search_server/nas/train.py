"""One network is trained, from scratch or from inherited weights, and evaluated.

All networks that are compared train alike: SGD with Nesterov momentum, a cosine with a short linear rise,
label smoothing, and no weight decay on batch norms and biases. If asked for, images are blended
(``mixup.py``), weights are averaged, and a teacher is listened to. Several processes may compute each step
together: it is the step of one with the whole batch, but for the order in which numbers are added.

Shape letters: N batch, C classes, H height, W width.
"""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from search_server.nas.averaging import weight_average
from search_server.nas.data.batches import Batch, Batches
from search_server.nas.joined import join_norms, joined
from search_server.nas.mixup import blended, label_loss
from search_server.nas.shards import ONE_SHARD, Shards
from search_server.nas.supernet.accelerator import (
    accelerator_of,
    forward_precision,
    in_full,
    placed,
    repeatable,
)
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


class TrainingRun:
    """A training under way: an iterator of facts, one an epoch, and the state they are about."""

    def __init__(
        self,
        network: nn.Module,
        batches: Batches,
        config: TrainConfig,
        teacher: Teacher | None = None,
        shards: Shards = ONE_SHARD,
    ) -> None:
        """Prepare the training of a network, in place, where its weights are.

        Args:
            network: the same on all processes.
            batches: with several processes the part of this one, ``paired_part``.
            config: how it is trained.
            teacher: what it learns from beside the labels.
            shards: a part of each batch for each process, and which of them is this one's.
        """
        to_channels_last(network)
        self.network, self.batches, self.config, self.teacher = network, batches, config, teacher
        self.shards = shards
        self._forward = network
        if shards.world_size > 1:
            join_norms(network)
            self._forward = joined(network)
        self.accelerator = accelerator_of(network)
        self.optimiser = _optimiser(network, config)
        self.average = weight_average(network, config.ema_decay)
        self.epoch = 0

    def __iter__(self) -> "TrainingRun":
        return self

    def __next__(self) -> TrainEpochFacts:
        """Train one epoch.

        Raises:
            StopIteration: all epochs are done.
        """
        if self.epoch >= self.config.epochs:
            raise StopIteration
        started = time.perf_counter()
        self.network.train()
        blends = np.random.default_rng((self.batches.seed, self.epoch))
        num_batches = len(self.batches)
        losses, num_correct, num_images, lr = [], [], 0, 0.0
        for step, batch in enumerate(self.batches, self.epoch * num_batches):
            lr = _set_rate(self.optimiser, self.config, step / (self.config.epochs * num_batches))
            loss, correct = self._step(placed(batch, self.accelerator), blends)
            # Read once an epoch: for each reading one waits for a GPU.
            losses.append(loss)
            num_correct.append(correct)
            num_images += len(batch[1])
        own = [sum(torch.stack(each).cpu().tolist()) for each in (losses, num_correct)]
        sums_SF = self.shards.gather(torch.tensor([[*own, num_images]], dtype=torch.float64))
        _, all_correct, all_images = sums_SF.sum(0).tolist()
        mean_loss = float(sums_SF[:, 0].mean()) / len(losses)
        if self.average is not None and self.epoch == self.config.epochs - 1:
            self.network.load_state_dict(self.average.module.state_dict())
        seconds = time.perf_counter() - started
        self.epoch += 1
        return TrainEpochFacts(
            self.epoch - 1, mean_loss, all_correct / all_images, lr, all_images / seconds
        )

    def state(self) -> dict[str, Any]:
        """Return what the next epoch depends on."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.state_dict() if self.average is not None else {},
            "epoch": self.epoch,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state of the same training, by whatever number of processes."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.epoch = state["epoch"]
        self.batches.load_state_dict({"epoch": self.epoch})

    def _step(self, batch: Batch, blends: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Take a step and return the loss and the number of correct answers, both without gradients."""
        images_NCHW, labels_N = batch
        images_NCHW, share = blended(images_NCHW, self.config.mixup, blends)
        images_NCHW = images_NCHW.to(memory_format=torch.channels_last)
        with repeatable():
            with forward_precision(self.accelerator, self.config.mixed_precision):
                logits_NC = in_full(self._forward(images_NCHW))
            loss = label_loss(logits_NC, labels_N, share, self.config.label_smoothing)
            if self.teacher is not None:
                told = self.teacher.loss(images_NCHW, logits_NC, self.config.mixed_precision)
                loss = (1 - self.teacher.weight) * loss + self.teacher.weight * told
            if self.shards.number > 1:  # the mean over processes is then the mean over images
                loss = loss * (self.shards.number * len(labels_N) / self.batches.batch_size)
            self.optimiser.zero_grad()
            torch.autograd.backward(loss)
        self.optimiser.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
        return loss.detach(), (logits_NC.argmax(1) == labels_N).sum()


def train(
    network: nn.Module, batches: Batches, config: TrainConfig, teacher: Teacher | None = None
) -> TrainingRun:
    """Train a network in place, where its weights are, by this process alone: facts after each epoch.

    The same network state and batches give the same weights. To fine-tune, load a state first, and give
    a lower ``lr``.
    """
    return TrainingRun(network, batches, config, teacher)


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
