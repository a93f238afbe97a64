"""What the quality of a search is made of: search trials, training trials, and whole networks timed."""

import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch

from benchmarks.ledger import Outcome
from benchmarks.truth import deal
from search_server.latency.table import LatencyTable
from search_server.nas.choosing.shortlist import shortlist
from search_server.nas.data.batches import evaluation_batches, search_batches, training_batches
from search_server.nas.data.data_sets import load_data
from search_server.nas.data.images import DataSplits, ImageSource, split_images
from search_server.nas.search import SearchRun, search
from search_server.nas.train import TrainConfig, evaluate, train
from search_server.search_options import PRESETS, PathsName, SearchOptions, ThetaGradientName, WeightsName
from shared.architecture import Architecture, parse_architecture
from shared.modules import network_module
from shared.protocol.device import Conditions
from shared.search_space import SearchSpace, search_space

BAND = 0.03
"""Networks this near to a latency count as equally fast."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network by its space and its blocks, as text."""

    space: str
    blocks: str

    def architecture(self) -> Architecture:
        return parse_architecture(self.blocks, search_space(self.space))


@dataclass(frozen=True, slots=True)
class Images:
    """Part of a data set: the same images for whoever asks for as many."""

    data: str
    num_images: int
    """For weights, theta and choosing together; the test images are extra, and all of them."""

    def load(self, resolution: int) -> DataSplits:
        return _load_images(self, resolution)


@dataclass(frozen=True, slots=True)
class TrainingTrial:
    """One network trained from scratch."""

    network: Network
    images: Images
    epochs: int
    seed: int

    def run(self) -> Outcome:
        architecture = self.network.architecture()
        data = self.images.load(architecture.space.resolution)
        start_s = time.process_time()
        module = network_module(architecture.workload(), torch.Generator().manual_seed(self.seed))
        batches = training_batches(data.training, 32, self.seed)
        for _ in train(module, batches, TrainConfig(epochs=self.epochs)):
            pass
        cpu_s = time.process_time() - start_s
        return {
            "validation_accuracy": evaluate(module, evaluation_batches(data.validation)),
            "test_accuracy": evaluate(module, evaluation_batches(data.test)),
            "cpu_s": cpu_s,
        }


@dataclass(frozen=True, slots=True)
class SearchTrial:
    """One search, up to networks ranked by short trainings."""

    space: str
    table: str
    """A file with a latency table of the space, or of one with the same layers and candidates."""
    snapshot: str
    target_us: float
    """By the table."""
    paths: PathsName
    weights: WeightsName
    theta_gradient: ThetaGradientName
    images: Images
    epochs: int
    num_samples: int
    seed: int

    def run(self) -> Outcome:
        table = LatencyTable.from_json(Path(self.table).read_text())
        space = search_space(self.space)
        data = self.images.load(space.resolution)
        start_s = time.process_time()
        run = self._search(space, table, data)
        networks = shortlist(run.supernet, run.caps, data, self.num_samples, self.seed, 1 - BAND / 2)
        cpu_s = time.process_time() - start_s
        return {"networks": [str(network) for network in networks], "cpu_s": cpu_s}

    def _search(self, space: SearchSpace, table: LatencyTable, data: DataSplits) -> SearchRun:
        run = search(space, table, *search_batches(data, 64, self.seed), self.options())
        for _ in run:
            pass
        return run

    def options(self) -> SearchOptions:
        """Return what the search is told; what is not named here has its default."""
        num_theta_epochs = 2 if self.paths == "one" else self.epochs // 2
        return SearchOptions(
            paths=self.paths,
            weights=self.weights,
            theta_gradient=self.theta_gradient,
            target_ms=self.target_us / 1000,
            epochs=self.epochs,
            warmup_epochs=max(1, self.epochs - num_theta_epochs),
            seed=self.seed,
        )


class PaperLossTrial(SearchTrial):
    """A search with FBNet's loss: CE * alpha * log(LAT)^beta, LAT that of the drawn factors.

    The target does not bear on theta, as in the paper, but networks are listed within it, as always here.
    """

    def options(self) -> SearchOptions:
        """Return the options of the other modes with the loss of the preset ``fbnet-paper``."""
        preset = PRESETS["fbnet-paper"]
        loss = {name: preset[name] for name in ("loss", "alpha", "beta", "latency_of", "final_entropy")}
        return replace(SearchTrial.options(self), **loss)


@dataclass(frozen=True, slots=True)
class TimingTrial:
    """Whole networks timed beside an anchor, in processes of a dozen each."""

    anchor_space: str
    networks: tuple[Network, ...]
    seconds: float
    """Of each dozen."""
    seed: int

    def run(self) -> Outcome:
        architectures = [network.architecture() for network in self.networks]
        space = search_space(self.anchor_space)
        found = deal(space, architectures, Conditions(), self.seconds, self.seed)
        return {"latency_units": found.units.tolist()}


def part(source: ImageSource, num_images: int) -> ImageSource:
    """Return some images of a source, the same ones each time; all if it has no more."""
    order = torch.randperm(len(source.labels_N), generator=torch.Generator().manual_seed(0))
    return source.select(order[:num_images].tolist())


@lru_cache(maxsize=1)
def _load_images(images: Images, resolution: int) -> DataSplits:
    data = load_data(images.data, resolution)
    return split_images(part(data.training, images.num_images), data.test, seed=0)
