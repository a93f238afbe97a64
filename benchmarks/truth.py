"""The truth about whole networks: their latencies in units of the anchor, timed without the agent.

Shape letters: D deals, N networks.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np

from benchmarks.plain_models import Array
from benchmarks.plain_timing import NETWORK_WARM_S, time_files
from search_server.model_files.model_file import model_file
from shared.architecture import (
    KNOWN_ARCHITECTURES,
    Architecture,
    anchor_architecture,
    random_architecture,
    uniform_architecture,
)
from shared.protocol.device import Conditions
from shared.search_space import SearchSpace

TRUTH_GROUP = 12
"""Networks of one process beside the anchor."""
TRUTH_RUNS = 10
"""At least, in each process: one ratio is 6 to 9 % off on a machine that others use too."""
DEALS = range(1, 9)
"""Seeds of the deals of a truth. Where models lie in memory makes a network up to 2 % faster or slower as
long as its process runs, so each network is timed in eight."""

FIRST_HALF, SECOND_HALF = DEALS[:4], DEALS[4:]
"""What is timed before, and what after, whatever the truth is to judge."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What networks take, from several deals of them to processes."""

    units_DN: Array
    """Units of each network in each deal, in the order of time."""
    seconds_DN: Array
    """Seconds of the same; they change with the pace of the machine."""
    page_faults_per_run: float
    """Minor ones; the most that a process had."""

    @property
    def units(self) -> Array:
        """Of each network."""
        units: Array = self.units_DN.mean(axis=0)
        return units

    @property
    def latency_us(self) -> Array:
        """Of each network, microseconds."""
        latency_us: Array = 1e6 * self.seconds_DN.mean(axis=0)
        return latency_us

    @property
    def noise_ceiling_mape(self) -> float:
        """Mean error of the first half against the second: no predictor can look better than that."""
        middle = len(self.units_DN) // 2
        return _mape(self.units_DN[:middle], self.units_DN[middle:])

    @property
    def alternating_mape(self) -> float:
        """The same of every other deal against the others: what is left if both see the same minutes."""
        return _mape(self.units_DN[::2], self.units_DN[1::2])

    def then(self, later: "Truth") -> "Truth":
        """Return both as one."""
        faults = max(self.page_faults_per_run, later.page_faults_per_run)
        units_DN = np.concatenate([self.units_DN, later.units_DN])
        return Truth(units_DN, np.concatenate([self.seconds_DN, later.seconds_DN]), faults)


def _mape(half_DN: Array, other_DN: Array) -> float:
    return float(np.mean(np.abs(half_DN.mean(axis=0) / other_DN.mean(axis=0) - 1)))


def test_networks(space: SearchSpace, num_random: int, seed: int) -> list[Architecture]:
    """Return fresh random networks, the uniform ones, and the known ones with the space's own head."""
    generator = random.Random(10_000 + seed)
    networks = [random_architecture(space, generator) for _ in range(num_random)]
    networks += [uniform_architecture(space, block) for block in space.candidates if block != "skip"]
    for name in ("fbnet-a", "fbnet-b", "fbnet-c"):
        blocks = tuple(KNOWN_ARCHITECTURES[name].blocks.split(","))
        if len(blocks) == space.num_layers:
            networks.append(Architecture(space, blocks))
    return networks


def truth(
    space: SearchSpace,
    networks: Sequence[Architecture],
    conditions: Conditions,
    seconds: float,
    seeds: Sequence[int] = DEALS,
    paths: Sequence[Path] | None = None,
) -> Truth:
    """Return what the networks take; each dozen is timed for ``seconds``, once for each seed.

    Args:
        space: whose anchor is the unit, as the timing model that a table's unit is.
        networks: of that space.
        conditions: runtime and dtype.
        seconds: of a process.
        seeds: one a deal.
        paths: model file of each network; None: timing models, as the agent times them.

    Raises:
        RuntimeError: a process that times them failed; the message says what to do.
    """
    deals = (deal(space, networks, conditions, seconds, seed, paths) for seed in seeds)
    return reduce(Truth.then, deals)


def deal(
    space: SearchSpace,
    networks: Sequence[Architecture],
    conditions: Conditions,
    seconds: float,
    seed: int,
    paths: Sequence[Path] | None = None,
) -> Truth:
    """Return what each network takes once, from processes of a dozen each.

    Networks are dealt to processes anew for each seed, so that what is peculiar to a process, above all
    where its models lie in memory, falls on others each time.
    """
    anchor = anchor_architecture(space).workload()
    yardstick = model_file(anchor, conditions)
    order = random.Random(seed).sample(range(len(networks)), k=len(networks))
    units, took_s = np.empty(len(networks)), np.empty(len(networks))
    faults = 0.0
    for start in range(0, len(order), TRUTH_GROUP):
        group = order[start : start + TRUTH_GROUP]
        workloads = [anchor, *(networks[index].workload() for index in group)]
        files = [paths[i] if paths else model_file(networks[i].workload(), conditions) for i in group]
        timing = time_files(
            workloads, [yardstick, *files], conditions, seconds, NETWORK_WARM_S, seed, TRUTH_RUNS
        )
        units[group], took_s[group] = timing.ratios()[1:], timing.medians_s()[1:]
        faults = max(faults, timing.page_faults_per_run)
    return Truth(units[None], took_s[None], faults)
