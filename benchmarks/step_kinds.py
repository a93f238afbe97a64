"""Steps of a search, ready to be timed: with all candidates, two or one, and as a plain loop over them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from search_server.nas.data.batches import Batch
from search_server.nas.search import SearchRun, search
from search_server.nas.supernet.accelerator import CPU, accelerator_of, forward_precision, placed
from search_server.nas.supernet.paths import Paths
from search_server.search_options import PathsName, SearchOptions, WeightsName
from shared.architecture import Architecture
from shared.modules import SegmentModule, initialise, network_module, to_channels_last
from shared.search_space import SearchSpace

KINDS: dict[str, PathsName] = {
    "soft": "soft",
    "soft_recomputed": "soft",
    "one": "one",
    "two": "two",
    "plain_loop": "soft",
    "networks": "one",
}
"""With the candidates that run; ``networks`` are the networks of these paths, each by itself."""

Steps = Callable[[], int]
"""Takes some steps and says how many."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What all kinds of steps have in common."""

    space: SearchSpace
    weights: WeightsName
    num_images: int
    """Of a step."""
    accelerator: torch.device = CPU
    mixed_precision: bool = False


class EvenTable:
    """A latency table in which every candidate takes a microsecond: latency is not the matter here."""

    def __init__(self, space: SearchSpace) -> None:
        self.fixed_us = 1.0
        self._space = space

    def latency_us_LK(self) -> list[list[float]]:
        return [[1.0] * len(self._space.candidates) for _ in range(self._space.num_layers)]


class PlainLoop(nn.Module):
    """The relaxed supernet as one would write it first: a sum over candidates, with nothing shared."""

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self.stem, self.head = SegmentModule(space.stem()), SegmentModule(space.head())
        self.layers = nn.ModuleList(
            nn.ModuleList(SegmentModule(placed.segment) for placed in row)
            for row in space.candidate_segments()
        )
        initialise(self, torch.Generator().manual_seed(0))

    def forward(self, x_NCHW: Tensor, weights_LK: Tensor) -> Tensor:
        x_NCHW = self.stem(x_NCHW)
        for blocks, weights_K in zip(self.layers, weights_LK, strict=True):
            assert isinstance(blocks, nn.ModuleList)
            x_NCHW = torch.stack(
                [m * block(x_NCHW) for m, block in zip(weights_K, blocks, strict=True)]
            ).sum(0)
        logits_NC: Tensor = self.head(x_NCHW).flatten(1)
        return logits_NC


def steps_of(kind: str, setting: Setting) -> Steps:
    """Return steps of the weights of one kind, along paths that run all candidates equally often."""
    space, batch = setting.space, random_batch(setting)
    num_candidates = len(space.candidates)
    width = {"one": 1, "two": 2, "soft": num_candidates}[KINDS[kind]]
    starts = range(num_candidates if width < num_candidates else 1)
    draws = [even_paths(space, [(start + k) % num_candidates for k in range(width)]) for start in starts]
    if kind == "plain_loop":
        return _plain_steps(setting, batch, draws[0])
    if kind == "networks":
        return _network_steps(setting, batch, draws)
    run = search_run(setting, KINDS[kind], recomputes=kind == "soft_recomputed")

    def take() -> int:
        for paths in draws:
            run.weights.step(batch, paths, progress=0.5)
        return len(draws)

    return take


def even_paths(space: SearchSpace, candidates: Sequence[int]) -> Paths:
    """Return paths through these candidates, moved on by one from layer to layer, with equal factors."""
    num_candidates = len(space.candidates)
    candidates_L = tuple(
        tuple(sorted((candidate + layer) % num_candidates for candidate in candidates))
        for layer in range(space.num_layers)
    )
    if len(candidates) == 1:
        return Paths(candidates_L, None)
    weights_LK = torch.zeros(space.num_layers, num_candidates)
    weights_LK.scatter_(1, torch.tensor(candidates_L), 1 / len(candidates))
    return Paths(candidates_L, weights_LK)


def search_run(setting: Setting, paths: PathsName, recomputes: bool = False) -> SearchRun:
    """Return a search in training whose steps are taken from outside."""
    options = SearchOptions(
        loss="fbnet",
        paths=paths,
        weights=setting.weights,
        recomputes_branches=recomputes,
        mixed_precision=setting.mixed_precision,
    )
    run = search(setting.space, EvenTable(setting.space), [], [], options, setting.accelerator)
    run.supernet.train()
    return run


def random_batch(setting: Setting) -> Batch:
    """Return normal images and random labels, where they are computed with."""
    space, generator = setting.space, torch.Generator().manual_seed(0)
    images_NCHW = torch.randn(setting.num_images, *space.input_shape, generator=generator)
    labels_N = torch.randint(space.num_classes, (setting.num_images,), generator=generator)
    return placed((images_NCHW.to(memory_format=torch.channels_last), labels_N), setting.accelerator)


def _plain_steps(setting: Setting, batch: Batch, paths: Paths) -> Steps:
    supernet = PlainLoop(setting.space).to(setting.accelerator)
    to_channels_last(supernet)
    optimiser = torch.optim.SGD(supernet.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    assert paths.weights_LK is not None
    weights_LK = paths.weights_LK.to(accelerator_of(supernet))

    def take() -> int:
        optimiser.zero_grad()
        with forward_precision(setting.accelerator, setting.mixed_precision):
            logits_NC = supernet(batch[0], weights_LK)
        torch.autograd.backward(F.cross_entropy(logits_NC.float(), batch[1]))
        optimiser.step()
        return 1

    return take


def _network_steps(setting: Setting, batch: Batch, draws: Sequence[Paths]) -> Steps:
    """Return steps of one network after another, with the loss, rates and clipping of the supernet's."""
    space, options = setting.space, SearchOptions(loss="fbnet")
    networks = []
    for paths in draws:
        blocks = tuple(space.candidates[candidate] for (candidate,) in paths.candidates_L)
        network = network_module(Architecture(space, blocks).workload(), torch.Generator().manual_seed(0))
        network = network.to(setting.accelerator).train()
        to_channels_last(network)
        optimiser = torch.optim.SGD(
            network.parameters(),
            options.weight_lr,
            options.weight_momentum,
            weight_decay=options.weight_decay,
        )
        networks.append((network, list(network.parameters()), optimiser))

    def take() -> int:
        for network, parameters, optimiser in networks:
            with forward_precision(setting.accelerator, setting.mixed_precision):
                logits_NC = network(batch[0])
            optimiser.zero_grad()
            torch.autograd.backward(F.cross_entropy(logits_NC.float(), batch[1]))
            torch.nn.utils.clip_grad_norm_(parameters, options.weight_clip)
            optimiser.step()
        return len(networks)

    return take
