"""A space small enough to search in a second, some digits, and a latency table made up as a + b * MACs."""

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import islice

import torch

from search_server.nas.budget.caps import Cap, latency_cap
from search_server.nas.budget.latency_model import LatencyModel, LatencySource
from search_server.nas.budget.search_caps import Tables
from search_server.nas.data.batches import Batches, training_batches
from search_server.nas.data.data_sets import load_data
from search_server.nas.data.images import DataSplits
from search_server.nas.search import SearchRun, search
from search_server.nas.supernet.supernet import Supernet
from search_server.search_options import SearchOptions
from shared.architecture import Architecture
from shared.search_space import SearchSpace, search_space

SPACE = search_space(
    "own:resolution=16,classes=10,stem=8s2,stages=8x4s1-16x2s2,head=32,"
    "blocks=k3_e1-k3_e1_g2-k3_e3-k3_e6-k5_e1-k5_e1_g2-k5_e3-k5_e6-skip"
)
"""Layers 0 to 3 and 5 keep their shape; layer 4 halves the map and doubles the channels."""
NUM_LAYERS, NUM_CANDIDATES = SPACE.num_layers, len(SPACE.candidates)


@dataclass(frozen=True)
class MacsTable:
    """Every block costs an overhead and a rate; an identity costs nothing."""

    space: SearchSpace
    overhead_us: float = 6.0
    us_per_mac: float = 1e-4
    fixed_us: float = 50.0

    def latency_us_LK(self) -> list[list[float]]:
        return self._rows

    def predict_us(self, architecture: Architecture) -> float:
        return self.fixed_us + sum(
            row[index] for row, index in zip(self._rows, architecture.indices, strict=True)
        )

    @cached_property
    def _rows(self) -> list[list[float]]:
        return [
            [self._latency_us(layer.input_shape, block, index) for block in self.space.candidates]
            for index, layer in enumerate(self.space.layers)
        ]

    def _latency_us(self, shape: tuple[int, int, int], block: str, layer_index: int) -> float:
        segment = self.space.candidate(self.space.layers[layer_index], block)
        return self.overhead_us + self.us_per_mac * segment.macs(shape) if segment.operators else 0.0


@dataclass(frozen=True)
class HandTable:
    """A table that knows nothing but its sums."""

    rows: list[list[float]]
    fixed_us: float = 0.0

    def latency_us_LK(self) -> list[list[float]]:
        return self.rows


TABLE = MacsTable(SPACE)
LATENCY = LatencyModel(TABLE, NUM_LAYERS, NUM_CANDIDATES)
LEAST_US = TABLE.fixed_us + sum(map(min, TABLE.latency_us_LK()))
MOST_US = TABLE.fixed_us + sum(map(max, TABLE.latency_us_LK()))
MIDDLE_US = (LEAST_US + MOST_US) / 2
MIDDLE_MS = MIDDLE_US / 1000


def cap_at(limit_us: float, table: LatencySource = TABLE) -> Cap:
    return latency_cap("latency", LatencyModel(table, NUM_LAYERS, NUM_CANDIDATES), limit_us)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_theta(seed: int, size: float = 1.0) -> torch.Tensor:
    return size * torch.randn(NUM_LAYERS, NUM_CANDIDATES, generator=generator(seed))


def supernet_with(theta_LK: torch.Tensor) -> Supernet:
    supernet = Supernet(SPACE, "entangled", generator())
    with torch.no_grad():
        supernet.theta_LK.copy_(theta_LK)
    return supernet


@cache
def digits() -> DataSplits:
    return load_data("digits", SPACE.resolution)


def digit_batches(num_images: int = 48, batch_size: int = 16) -> tuple[Batches, Batches]:
    """Some of the digits for weights, and some for theta."""
    data = digits()
    weights, theta = (part.select(range(num_images)) for part in (data.weights, data.theta))
    return training_batches(weights, batch_size, seed=1), training_batches(theta, batch_size, seed=2)


def small_search(options: SearchOptions, tables: Tables = TABLE) -> SearchRun:
    return search(SPACE, tables, *digit_batches(), options)


def run_epochs(run: SearchRun, num_epochs: int) -> None:
    assert len(list(islice(run, num_epochs))) == num_epochs
