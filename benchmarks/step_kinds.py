"""Steps of a search, ready to be timed: with all candidates, two or one, and as a plain loop over them."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from search_server.nas.batches import Batch
from search_server.nas.config import SearchConfig
from search_server.nas.paths import Paths, PathsName
from search_server.nas.search import SearchRun, search
from search_server.nas.supernet import WeightsName
from shared.modules import SegmentModule, initialise, to_channels_last
from shared.search_space import SearchSpace

KINDS: dict[str, PathsName] = {
    "soft": "soft",
    "soft_recomputed": "soft",
    "one": "one",
    "two": "two",
    "plain_loop": "soft",
}

Steps = Callable[[], int]
"""Takes some steps and says how many."""


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
            nn.ModuleList(SegmentModule(space.candidate(layer, block)) for block in space.candidates)
            for layer in space.layers
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


def steps_of(kind: str, space: SearchSpace, weights: WeightsName, batch: Batch) -> Steps:
    """Return steps of the weights of one kind, along paths that run all candidates equally often."""
    num_candidates = len(space.candidates)
    width = {"one": 1, "two": 2}.get(kind, num_candidates)
    starts = range(num_candidates if width < num_candidates else 1)
    draws = [even_paths(space, [(start + k) % num_candidates for k in range(width)]) for start in starts]
    if kind == "plain_loop":
        return _plain_steps(space, batch, draws[0])
    run = search_run(space, weights, KINDS[kind], recomputes=kind == "soft_recomputed")

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


def search_run(
    space: SearchSpace, weights: WeightsName, paths: PathsName, recomputes: bool = False
) -> SearchRun:
    """Return a search in training whose steps are taken from outside."""
    config = SearchConfig(loss="fbnet", paths=paths, weights=weights, recomputes_branches=recomputes)
    run = search(space, EvenTable(space), [], [], config)
    run.supernet.train()
    return run


def random_batch(space: SearchSpace, num_images: int) -> Batch:
    """Return normal images and random labels."""
    generator = torch.Generator().manual_seed(0)
    images_NCHW = torch.randn(num_images, *space.input_shape, generator=generator)
    labels_N = torch.randint(space.num_classes, (num_images,), generator=generator)
    return images_NCHW.to(memory_format=torch.channels_last), labels_N


def _plain_steps(space: SearchSpace, batch: Batch, paths: Paths) -> Steps:
    supernet = PlainLoop(space)
    to_channels_last(supernet)
    optimiser = torch.optim.SGD(supernet.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    weights_LK = paths.weights_LK
    assert weights_LK is not None

    def take() -> int:
        optimiser.zero_grad()
        torch.autograd.backward(F.cross_entropy(supernet(batch[0], weights_LK), batch[1]))
        optimiser.step()
        return 1

    return take
