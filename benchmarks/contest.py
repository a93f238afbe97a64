"""One contest at one target: table, candidates, searches, one measuring session, trainings alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from types import MappingProxyType

import numpy as np

from benchmarks.contestants import equally_fast, hand_made_variants, most_families, random_networks
from benchmarks.ledger import Ledger
from benchmarks.local_table import kept_table
from benchmarks.machine import say
from benchmarks.standings import Standing
from benchmarks.trials import BAND, Images, Network, PaperLossTrial, SearchTrial, TimingTrial, TrainingTrial
from search_server.latency.table import LatencyTable
from search_server.search_options import PathsName, ThetaGradientName, WeightsName
from search_server.searches.finalists import NUM_FINALISTS
from shared.architecture import anchor_architecture
from shared.protocol.device import Conditions
from shared.search_space import SearchSpace


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to search."""

    paths: PathsName
    weights: WeightsName
    theta_gradient: ThetaGradientName
    share: float = 1.0
    """Of the images: what each can afford. Soft runs nine candidates forward and back, one path one, and
    eight more forward for theta's quarter of the images; two paths run two."""
    trial: type[SearchTrial] = SearchTrial


MODES = {
    "leave one out": Mode("one", "entangled", "leave_one_out"),
    "effects": Mode("one", "entangled", "effects"),
    "straight through": Mode("one", "entangled", "straight_through"),
    "two paths": Mode("two", "entangled", "straight_through", 2 / 3),
    "soft, separate": Mode("soft", "separate", "straight_through", 1 / 6),
    "paper's loss": Mode("soft", "separate", "straight_through", 1 / 6, PaperLossTrial),
}
DEFAULT_MODE = "leave one out"
NUM_SPARE = 6
"""Beyond those wanted: not all that one session finds equally fast are so in the next."""
SCREENING_S, TIMING_S = 1.0, 4.0
"""Of each dozen of networks, twice: candidates at first, then all that may be compared."""
SCREENING_BAND = 1.5 * BAND


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done."""

    modes: tuple[str, ...] = ("effects", "leave one out", "soft, separate")
    num_seeds: int = 3
    num_random: int = 8
    num_images: int = 8_000
    train_epochs: int = 7
    search_epochs: int = 8
    num_samples: int = 9


class Contest:
    """The stages of the benchmark, each from what the ledger holds or else done now."""

    def __init__(
        self,
        space: SearchSpace,
        data: str,
        sizes: Sizes,
        folder: Path,
        num_processes: int,
        rivals: Mapping[str, Network] = MappingProxyType({}),
    ) -> None:
        self.space, self.sizes, self.folder = space, sizes, folder
        self.num_processes = num_processes
        self.images = Images(data, sizes.num_images)
        self.rivals = rivals
        self.target = Network(space.name, str(anchor_architecture(space)))
        folder.mkdir(parents=True, exist_ok=True)
        self.ledger = Ledger(folder / "trials.jsonl")
        self.table_path = folder / f"{space.name}.json"

    def run(self) -> tuple[list[Standing], dict[str, float]]:
        """Return all standings, and the processor time of a search by mode in trainings."""
        table = kept_table(self.table_path, self.space, Conditions())
        randoms, hand_made, target_us = self._candidates(table)
        searches = self._searches(table, target_us)
        hand_made |= most_families(table, target_us)
        entrants, latency_us = self._equally_fast(table, randoms, hand_made, searches)
        standings = self._train(entrants, latency_us)
        training_s = np.mean([s.training_s for s in standings])
        costs = {
            mode: float(np.mean([self.ledger.outcome(t)["cpu_s"] for t in trials]) / training_s)
            for mode, trials in searches.items()
        }
        return standings, costs

    def _candidates(self, table: LatencyTable) -> tuple[list[Network], dict[str, list[Network]], float]:
        """Return random and hand-made networks at the target, and the target by the table's level."""
        wanted = self.sizes.num_random + NUM_SPARE
        # The target is the anchor: one unit as measured, a little more as its entries add up.
        randoms = random_networks(table, table.anchor_us, 3 * wanted, seed=0)
        variants = list(hand_made_variants(self.space.name, self.rivals))
        latency_us = self._measure(
            table, [self.target, *randoms, *(variant.network for variant in variants)], SCREENING_S
        )
        target_us = latency_us[self.target]
        level = float(
            np.median([latency_us[r] / table.predict(r.architecture()).latency_us for r in randoms])
        )
        near = [n for n in randoms if abs(latency_us[n] / target_us - 1) <= SCREENING_BAND]
        hand_made = equally_fast(variants, latency_us, target_us, SCREENING_BAND)
        say(
            f"target {target_us / 1e3:.4g} ms; measured / predicted {level:.3f}; near it: "
            f"{len(near)} of {len(randoms)} random networks, "
            f"{sum(map(len, hand_made.values()))} of {len(variants)} hand-made ones"
        )
        hand_made = {family: networks[: 1 + NUM_SPARE] for family, networks in hand_made.items()}
        return near[:wanted], hand_made, target_us / level

    def _searches(self, table: LatencyTable, target_us: float) -> dict[str, list[SearchTrial]]:
        def trial(mode: str, seed: int) -> SearchTrial:
            chosen = MODES[mode]
            images = replace(self.images, num_images=round(self.images.num_images * chosen.share))
            epochs, num_samples = self.sizes.search_epochs, self.sizes.num_samples
            place = (self.space.name, str(self.table_path), table.snapshot, round(target_us, 3))
            ways = (chosen.paths, chosen.weights, chosen.theta_gradient)
            return chosen.trial(*place, *ways, images, epochs, num_samples, seed)

        seeds = range(self.sizes.num_seeds)
        searches = {mode: [trial(mode, seed) for seed in seeds] for mode in self.sizes.modes}
        self._run_all("searches", searches)
        return searches

    def _equally_fast(
        self,
        table: LatencyTable,
        randoms: Sequence[Network],
        hand_made: Mapping[str, Sequence[Network]],
        searches: Mapping[str, Sequence[SearchTrial]],
    ) -> tuple[dict[str, list[list[Network]]], dict[Network, float]]:
        """Measure all once more, together, and return by name who may train: for each seed, one or more.

        Of a shortlist those are the first that are near the target, as many as a search trains; of a
        hand-made family the variant that is near and lacks the fewest layers. Where a search lists none so
        near, its nearest.
        """
        shortlists = {mode: [self._shortlist(trial) for trial in searches[mode]] for mode in searches}
        found = chain.from_iterable(chain.from_iterable(shortlists.values()))
        candidates = [self.target, *randoms, *chain.from_iterable(hand_made.values()), *found]
        latency_us = self._measure(table, candidates, TIMING_S)

        def distance(network: Network) -> float:
            return max(BAND, abs(latency_us[network] / latency_us[self.target] - 1))

        def is_near(network: Network) -> bool:
            return distance(network) <= BAND

        seeds = range(self.sizes.num_seeds)
        near = list(filter(is_near, randoms))[: self.sizes.num_random]
        entrants = {f"random {i + 1}": [[network]] * len(seeds) for i, network in enumerate(near)}
        if len(near) >= NUM_FINALISTS:
            pairs = [
                [near[(NUM_FINALISTS * s + i) % len(near)] for i in range(NUM_FINALISTS)] for s in seeds
            ]
            entrants[f"best of {NUM_FINALISTS} random"] = pairs
        entrants[self.target.architecture().blocks[0]] = [[self.target]] * len(seeds)
        for family, variants in hand_made.items():
            for variant in list(filter(is_near, variants))[:1]:
                entrants[family] = [[variant]] * len(seeds)
        for mode, lists in shortlists.items():
            finalists = [sorted(each, key=distance)[:NUM_FINALISTS] for each in lists]
            entrants[f"found: {mode}"] = finalists
            largest = next(iter(entrants.get("most MACs", [])), [])
            entrants[f"found or most MACs: {mode}"] = [[*each, *largest] for each in finalists]
        return entrants, latency_us

    def _shortlist(self, trial: SearchTrial) -> list[Network]:
        return [Network(self.space.name, text) for text in self.ledger.outcome(trial)["networks"]]

    def _measure(
        self, table: LatencyTable, networks: Sequence[Network], seconds: float
    ) -> dict[Network, float]:
        """Return microseconds: the mean of two measurements, in units of the anchor, times the table's."""
        distinct = tuple(dict.fromkeys(networks))
        trials = [TimingTrial(self.space.name, distinct, seconds, seed) for seed in (1, 2)]
        say(f"timing {len(distinct)} networks")
        units = np.mean([self.ledger.outcome(trial)["latency_units"] for trial in trials], axis=0)
        return {n: float(u) * table.anchor_us for n, u in zip(distinct, units, strict=True)}

    def _train(
        self, entrants: Mapping[str, Sequence[Sequence[Network]]], latency_us: dict[Network, float]
    ) -> list[Standing]:
        """Train all alike; where several train with a seed, the validation split chooses one of them."""
        trials = {
            name: [[self._training(network, seed) for network in each] for seed, each in enumerate(by_seed)]
            for name, by_seed in entrants.items()
        }
        self._run_all("trainings", {name: list(chain.from_iterable(each)) for name, each in trials.items()})
        return [
            self._standing(name, [max(each, key=self._validation_accuracy) for each in by_seed], latency_us)
            for name, by_seed in trials.items()
        ]

    def _training(self, network: Network, seed: int) -> TrainingTrial:
        return TrainingTrial(network, self.images, self.sizes.train_epochs, seed)

    def _validation_accuracy(self, trial: TrainingTrial) -> float:
        return float(self.ledger.outcome(trial)["validation_accuracy"])

    def _standing(
        self, name: str, trials: Sequence[TrainingTrial], latency_us: Mapping[Network, float]
    ) -> Standing:
        return Standing(
            name,
            tuple(trial.network for trial in trials),
            tuple(latency_us[trial.network] / 1e3 for trial in trials),
            latency_us[self.target] / 1e3,
            tuple(self.ledger.outcome(trial)["test_accuracy"] for trial in trials),
            float(np.mean([self.ledger.outcome(trial)["cpu_s"] for trial in trials])),
        )

    def _run_all(self, kind: str, trials: Mapping[str, Sequence[SearchTrial | TrainingTrial]]) -> None:
        # Seed by seed: what is interrupted has whole seeds, and can be read with fewer of them.
        every = sorted(chain.from_iterable(trials.values()), key=lambda trial: trial.seed)
        self.ledger.run_all(every, self.num_processes, lambda text: say(f"{kind}: {text}"))
