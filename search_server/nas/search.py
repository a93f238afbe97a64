"""The search: weights and theta of a supernet trained in turns, from a table and two data loaders.

Source: FBNet (arXiv 1812.03443), section 3.3: an epoch trains weights on their split, then theta on its
own; the first epochs train weights only.

Shape letters: L layers, K candidates.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from search_server.nas.budget.caps import ExpectedCost, expected_costs
from search_server.nas.budget.latency_loss import latency_loss
from search_server.nas.budget.latency_model import LatencyModel, table_hash
from search_server.nas.budget.search_caps import Tables, device_tables, search_caps
from search_server.nas.data.batches import Batch
from search_server.nas.shards import ONE_SHARD, Shards
from search_server.nas.supernet.accelerator import CPU, placed
from search_server.nas.supernet.memory import peak_memory_bytes
from search_server.nas.supernet.paths import (
    Paths,
    entropy_L,
    favour,
    log_probabilities,
    sample_paths,
)
from search_server.nas.supernet.supernet import Supernet
from search_server.nas.supernet.weight_step import WeightStepFacts, WeightStepper
from search_server.nas.theta.search_warnings import search_warnings
from search_server.nas.theta.theta_step import ThetaStepFacts, ThetaStepper, frozen_statistics
from search_server.search_options import Phase, SearchOptions
from shared.architecture import Architecture
from shared.modules import to_channels_last
from shared.search_space import SearchSpace

OWN_WEIGHTS_SHARE = 1 / 3
"""Of weight steps along one path, in which a candidate with weights of its own runs on top of what theta
draws: all others train each other, and theta would judge it before it has learned anything."""


class BatchSource(Protocol):
    """A data loader: ``Batches``, or any ``DataLoader`` of (images, labels)."""

    def __len__(self) -> int:
        """Return the number of batches of an epoch; one that is shared out among shards is one."""

    def __iter__(self) -> Iterator[Batch]:
        """Begin an epoch; with several shards it yields the part of each of this process's in turn."""


@dataclass(frozen=True, slots=True)
class SearchStepFacts:
    """One epoch of a search, with means over it; fields as in the REST resource ``SearchStep``."""

    step: int
    """Optimiser steps so far, weights and theta together."""
    epoch: int
    phase: Phase
    weight_loss: float
    theta_loss: float | None
    accuracy: float
    """Share of correct answers of the drawn paths, 0..1: on the theta split (drawn evenly where theta
    follows effects); in the warm-up on the split for weights."""
    expected_latency_us: float
    entropy: float
    tau: float
    images_per_s: float
    theta: tuple[tuple[float, ...], ...]
    """softmax(theta), layers x candidates."""
    costs: tuple[ExpectedCost, ...] = ()
    """Every limit of loss ``budget``, and the mean over what theta draws."""
    warnings: tuple[str, ...] = ()
    """Where latency does not bear on theta as asked, with figures."""
    peak_memory_bytes: int = 0
    """Most that this process had in memory so far; with ``cuda`` in that of the accelerator."""
    accelerator: str = "cpu"
    """What the epoch was computed on."""
    num_threads: int = 1
    """Processor threads that computed it: with another number the same seed gives other bits."""


class SearchRun:
    """A search under way: an iterator of facts, one an epoch, and the state they are about."""

    def __init__(
        self,
        space: SearchSpace,
        tables: Tables,
        weight_batches: BatchSource,
        theta_batches: BatchSource,
        options: SearchOptions,
        accelerator: torch.device = CPU,
        shards: Shards = ONE_SHARD,
    ) -> None:
        if options.paths == "none":
            raise ValueError(
                "paths 'none' trains no supernet; choosing.most.most_network decodes its network"
            )
        self.space = space
        self.options = options
        self.accelerator = accelerator
        self.shards = shards
        self.weight_batches = weight_batches
        self.theta_batches = theta_batches
        devices = device_tables(tables, options)
        shape = (space.num_layers, len(space.candidates))
        latencies = [LatencyModel(device.table, *shape) for device in devices]
        self.latency = latencies[0]
        self.caps = search_caps(space, devices, latencies, options)
        self.table_hash = table_hash(latencies)
        self.generator = torch.Generator().manual_seed(options.seed)
        self.supernet = Supernet(space, options.weights, self.generator)
        self.supernet.place(accelerator)
        if options.channels_last:
            to_channels_last(self.supernet)
        for layer in self.supernet.mixed_layers():
            layer.recomputes_branches = options.recomputes_branches
        self.weights = WeightStepper(self.supernet, options, shards)
        loss = latency_loss(options, self.latency.min_us)
        self.theta = ThetaStepper(
            self.supernet, self.latency, self.caps, loss, options, self.generator, shards
        )
        self.theta.hold(entropy_limit=1.0)
        self.epoch = 0
        self.step = 0

    def __iter__(self) -> "SearchRun":
        return self

    def __next__(self) -> SearchStepFacts:
        """Train one epoch.

        Raises:
            StopIteration: all epochs are done.
        """
        if self.epoch >= self.options.epochs:
            raise StopIteration
        started = time.perf_counter()
        self.supernet.train()
        tau = self.options.tau(self.epoch)
        is_warmup = self.epoch < self.options.warmup_epochs
        weight_loss, accuracy, num_images = self._train_weights(tau)
        steps: list[ThetaStepFacts] = []
        if not is_warmup:
            with frozen_statistics(self.supernet):
                steps, num_theta_images = self._train_theta(tau)
            num_images += num_theta_images
            accuracy = sum(step.accuracy for step in steps) / len(steps)
        probabilities = self.probabilities()
        costs = expected_costs(self.caps, np.array(probabilities))
        facts = SearchStepFacts(
            step=self.step,
            epoch=self.epoch,
            phase="warmup" if is_warmup else "search",
            weight_loss=weight_loss,
            theta_loss=sum(step.loss for step in steps) / len(steps) if steps else None,
            accuracy=accuracy,
            expected_latency_us=self.theta.expected_us(),
            entropy=float(entropy_L(self.supernet.theta_LK.detach()).mean()),
            tau=tau,
            images_per_s=num_images / (time.perf_counter() - started),
            theta=probabilities,
            costs=costs,
            warnings=search_warnings(self.options, costs, steps),
            peak_memory_bytes=peak_memory_bytes(self.accelerator),
            accelerator=self.accelerator.type,
            num_threads=torch.get_num_threads(),
        )
        self.epoch += 1
        return facts

    def architecture(self) -> Architecture:
        """Return the most probable network."""
        return self.supernet.architecture()

    def probabilities(self) -> tuple[tuple[float, ...], ...]:
        """Return softmax(theta), layers x candidates."""
        return tuple(map(tuple, log_probabilities(self.supernet.theta_LK.detach()).exp().tolist()))

    def _train_weights(self, tau: float) -> tuple[float, float, int]:
        """Return mean loss, accuracy and number of images, over all shards."""
        steps = []
        for progress, batches in self._weight_steps():
            own = [
                (batch, self._weight_paths(tau, generator))
                for batch, generator in zip(batches, self._generators(), strict=True)
            ]
            steps.append(self.weights.step_shards(own, progress))
            self.step += 1
        sums = [_sums(shard) for shard in zip(*steps, strict=True)]
        loss, num_correct, num_images = self.shards.gather(torch.tensor(sums, dtype=torch.float64)).sum(0)
        mean_loss = float(loss) / (len(steps) * self.shards.number)
        return mean_loss, float(num_correct / num_images), int(num_images)

    def _weight_paths(self, tau: float, generator: torch.Generator) -> Paths:
        paths = sample_paths(self.supernet.theta_LK.detach(), tau, self.options.paths, generator)
        if self.options.paths == "one":
            paths = favour(paths, self.supernet.own_candidates_L(), OWN_WEIGHTS_SHARE, generator)
        return paths

    def _weight_steps(self) -> Iterator[tuple[float, list[Batch]]]:
        """Yield the share of the search that is done, and each shard's batch, of each step of an epoch."""
        num_batches = self.options.epochs * len(self.weight_batches)
        first_batch = self.epoch * len(self.weight_batches)
        for index, batches in enumerate(self._shard_batches(self.weight_batches), first_batch):
            num_parts = max(1, len(batches[0][1]) // self.options.step_images)
            parts = zip(*(_parts(batch, num_parts) for batch in batches), strict=True)
            for part, own in enumerate(parts):
                yield (index + part / num_parts) / num_batches, [self._laid_out(each) for each in own]

    def _train_theta(self, tau: float) -> tuple[list[ThetaStepFacts], int]:
        facts, num_images = [], 0
        first = self.options.warmup_epochs
        num_epochs = self.options.epochs - first
        for index, batches in enumerate(self._shard_batches(self.theta_batches)):
            progress = (self.epoch - first + (index + 1) / len(self.theta_batches)) / num_epochs
            own = list(zip(map(self._laid_out, batches), self._generators(), strict=True))
            facts.append(self.theta.step_shards(own, tau, self.options.entropy_limit(progress)))
            num_images += len(batches[0][1]) * self.shards.number
            self.step += 1
        self.theta.hold(self.options.entropy_limit((self.epoch - first + 1) / num_epochs))
        return facts, num_images

    def _shard_batches(self, source: BatchSource) -> Iterator[tuple[Batch, ...]]:
        """Yield the batches of the shards of this process, on its accelerator, step by step."""
        batches = iter(source)
        for own in zip(*[batches] * len(self.shards.own), strict=True):
            yield tuple(placed(batch, self.accelerator) for batch in own)

    def _generators(self) -> list[torch.Generator]:
        """Return the sources of chance of the shards of this process in the step to come."""
        if self.shards.number == 1:
            return [self.generator]
        return [self.shards.generator(self.options.seed, self.step, shard) for shard in self.shards.own]

    def _laid_out(self, batch: Batch) -> Batch:
        images_NCHW, labels_N = batch
        layout = torch.channels_last if self.options.channels_last else torch.contiguous_format
        return images_NCHW.to(memory_format=layout), labels_N


def _sums(steps: Sequence[WeightStepFacts]) -> tuple[float, int, int]:
    """Return losses, correct answers and images, summed over steps; read once, for a GPU is waited for."""
    losses = torch.stack([step.loss for step in steps]).cpu().tolist()
    num_correct = torch.stack([step.num_correct for step in steps]).cpu().tolist()
    return sum(losses), sum(num_correct), sum(step.num_images for step in steps)


def _parts(batch: Batch, number: int) -> Iterator[Batch]:
    images_NCHW, labels_N = batch
    return zip(images_NCHW.tensor_split(number), labels_N.tensor_split(number), strict=True)


def search(
    space: SearchSpace,
    tables: Tables,
    weight_batches: BatchSource,
    theta_batches: BatchSource,
    options: SearchOptions,
    accelerator: torch.device = CPU,
    shards: Shards = ONE_SHARD,
) -> SearchRun:
    """Return a search that trains an epoch each time the next facts are asked for.

    Args:
        space: what is searched.
        tables: the latency of each candidate in each layer, on one device, whose target is
            ``options.target_ms``, or on each of several, as ``DeviceTable`` with its own target.
        weight_batches: images that train the weights; with several shards ``ShardedBatches``.
        theta_batches: other images, that train theta.
        options: see ``SearchOptions``.
        accelerator: where weights and images are; see ``accelerator.py``.
        shards: the parts of a step, and those that this process computes; see ``shards.py``.

    Raises:
        ValueError: a table does not fit the space, or no network keeps the limits.
    """
    return SearchRun(space, tables, weight_batches, theta_batches, options, accelerator, shards)
