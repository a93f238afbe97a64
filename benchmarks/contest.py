"""One contest at one target: table, candidates, searches, one measuring session, trainings alike."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.contestants import equally_fast, hand_made_variants, random_networks
from benchmarks.ledger import Ledger
from benchmarks.local_table import measure_table
from benchmarks.standings import Standing
from benchmarks.trials import BAND, Images, Network, SearchTrial, TimingTrial, TrainingTrial
from search_server.latency.table import LatencyTable
from search_server.nas.paths import PathsName
from search_server.nas.supernet import WeightsName
from shared.device import Conditions
from shared.search_space import SearchSpace

MODES: dict[str, tuple[PathsName, WeightsName, float]] = {
    "one path, entangled": ("one", "entangled", 1.0),
    "one path, separate": ("one", "separate", 1.0),
    "soft, separate": ("soft", "separate", 1 / 6),
}
"""With the share of the images that each can afford: soft runs nine candidates forward and back, one path
one, and eight more forward for theta's quarter of the images."""
DEFAULT_MODE = "one path, entangled"
NUM_SHORTLISTED = 6
NUM_SPARE = 4
"""Random networks beyond those wanted: not all that one session finds equally fast are so in the next."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done."""

    modes: tuple[str, ...] = tuple(MODES)
    num_seeds: int = 3
    num_random: int = 8
    num_images: int = 16_000
    train_epochs: int = 5
    search_epochs: int = 6
    num_samples: int = 24
    timing_s: float = 30.0


class Contest:
    """The stages of the benchmark, each from what the ledger holds or else done now."""

    def __init__(
        self, space: SearchSpace, data: str, sizes: Sizes, folder: Path, num_processes: int
    ) -> None:
        self.space, self.sizes, self.folder = space, sizes, folder
        self.num_processes = num_processes
        self.images = Images(data, sizes.num_images)
        self.target = Network(space.name, ",".join(["k3_e3"] * space.num_layers))
        folder.mkdir(parents=True, exist_ok=True)
        self.ledger = Ledger(folder / "trials.jsonl")
        self.table_path = folder / f"{space.name}.json"

    def run(self) -> tuple[list[Standing], dict[str, float]]:
        """Return all standings, and the processor time of a search by mode in trainings."""
        table = self._table()
        randoms, hand_made, target_us = self._candidates(table)
        searches = self._searches(table, target_us)
        networks, latency_us = self._equally_fast(table, randoms, hand_made, searches)
        standings = self._train(networks, latency_us, latency_us[self.target])
        training_s = np.mean([s.training_s for s in standings])
        costs = {
            mode: float(np.mean([self.ledger.outcome(t)["cpu_s"] for t in trials]) / training_s)
            for mode, trials in searches.items()
        }
        return standings, costs

    def _table(self) -> LatencyTable:
        if not self.table_path.exists():
            say(f"table of {self.space.name}: half a minute")
            table, _ = measure_table(self.space, Conditions(), seed=0)
            self.table_path.write_text(table.to_json())
        return LatencyTable.from_json(self.table_path.read_text())

    def _candidates(self, table: LatencyTable) -> tuple[list[Network], dict[str, Network], float]:
        """Return random and hand-made networks at the target, and the target by the table's level."""
        wanted = self.sizes.num_random + NUM_SPARE
        randoms = random_networks(table, table.anchor_us, 4 * wanted, seed=0)
        variants = list(hand_made_variants(self.space.name))
        latency_us = self._measure(
            table, [self.target, *randoms, *(variant.network for variant in variants)]
        )
        target_us = latency_us[self.target]
        level = float(
            np.median([latency_us[r] / table.predict(r.architecture()).latency_us for r in randoms])
        )
        near = [network for network in randoms if is_near(latency_us[network], target_us)]
        hand_made = equally_fast(variants, latency_us, target_us)
        say(
            f"target {target_us / 1e3:.4g} ms; measured / predicted {level:.3f}; within 3 %: "
            f"{len(near)} of {len(randoms)} random networks, {len(hand_made)} hand-made ones"
        )
        return near[:wanted], hand_made, target_us / level

    def _searches(self, table: LatencyTable, target_us: float) -> dict[str, list[SearchTrial]]:
        searches = {
            mode: [
                SearchTrial(
                    self.space.name,
                    str(self.table_path),
                    table.snapshot,
                    round(target_us, 3),
                    MODES[mode][0],
                    MODES[mode][1],
                    replace(self.images, num_images=round(self.images.num_images * MODES[mode][2])),
                    self.sizes.search_epochs,
                    self.sizes.num_samples,
                    seed,
                )
                for seed in range(self.sizes.num_seeds)
            ]
            for mode in self.sizes.modes
        }
        trials = [trial for trials in searches.values() for trial in trials]
        self.ledger.run_all(trials, self.num_processes, lambda text: say(f"searches: {text}"))
        return searches

    def _equally_fast(
        self,
        table: LatencyTable,
        randoms: Sequence[Network],
        hand_made: dict[str, Network],
        searches: dict[str, list[SearchTrial]],
    ) -> tuple[dict[str, list[Network]], dict[Network, float]]:
        """Measure all once more, together, and return by name those near the target: one, or one a seed."""
        shortlists = {
            mode: [
                [Network(self.space.name, blocks) for blocks in self.ledger.outcome(trial)["networks"]]
                for trial in trials
            ]
            for mode, trials in searches.items()
        }
        found = [n for lists in shortlists.values() for each in lists for n in each[:NUM_SHORTLISTED]]
        latency_us = self._measure(table, [self.target, *randoms, *hand_made.values(), *found])
        target_us = latency_us[self.target]
        near = [network for network in randoms if is_near(latency_us[network], target_us)]
        networks = {f"random {i + 1}": [n] for i, n in enumerate(near[: self.sizes.num_random])}
        networks["k3_e3"] = [self.target]
        networks |= {name: [n] for name, n in hand_made.items() if is_near(latency_us[n], target_us)}
        for mode, lists in shortlists.items():
            networks[f"found: {mode}"] = [
                next(
                    (n for n in each[:NUM_SHORTLISTED] if is_near(latency_us[n], target_us)),
                    min(each[:NUM_SHORTLISTED], key=lambda n: abs(latency_us[n] / target_us - 1)),
                )
                for each in lists
            ]
        return networks, latency_us

    def _measure(self, table: LatencyTable, networks: Sequence[Network]) -> dict[Network, float]:
        """Return microseconds: the mean of two processes, in units of the anchor, times the table's."""
        distinct = tuple(dict.fromkeys(networks))
        trials = [TimingTrial(self.space.name, distinct, self.sizes.timing_s, seed) for seed in (1, 2)]
        say(f"timing {len(distinct)} networks: {2 * self.sizes.timing_s:.0f} s and loading")
        units = np.mean([self.ledger.outcome(trial)["latency_units"] for trial in trials], axis=0)
        return {n: float(u) * table.anchor_us for n, u in zip(distinct, units, strict=True)}

    def _train(
        self, networks: dict[str, list[Network]], latency_us: dict[Network, float], target_us: float
    ) -> list[Standing]:
        trials = {
            name: [
                TrainingTrial(each[seed % len(each)], self.images, self.sizes.train_epochs, seed)
                for seed in range(self.sizes.num_seeds)
            ]
            for name, each in networks.items()
        }
        everything = [trial for each in trials.values() for trial in each]
        self.ledger.run_all(everything, self.num_processes, lambda text: say(f"trainings: {text}"))
        return [
            Standing(
                name,
                tuple(trial.network for trial in each),
                tuple(latency_us[trial.network] / 1e3 for trial in each),
                target_us / 1e3,
                tuple(self.ledger.outcome(trial)["test_accuracy"] for trial in each),
                float(np.mean([self.ledger.outcome(trial)["cpu_s"] for trial in each])),
            )
            for name, each in trials.items()
        ]


def is_near(latency_us: float, target_us: float) -> bool:
    """Whether two latencies count as equal."""
    return abs(latency_us / target_us - 1) <= BAND


def say(text: str) -> None:
    """Tell what goes on, beside the figures."""
    print(text, file=sys.stderr, flush=True)
