"""The truth about whole networks: their latencies in units of the anchor, timed without the agent.

Shape letters: D deals, N networks.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.plain_timing import NETWORK_WARM_S, time_in_new_process
from shared.architecture import (
    KNOWN_ARCHITECTURES,
    Architecture,
    anchor_architecture,
    random_architecture,
    uniform_architecture,
)
from shared.protocol.device import Conditions
from shared.search_space import SearchSpace

Array = NDArray[np.float64]

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
    page_faults_per_run: float
    """Minor ones; the most that a process had."""

    @property
    def units(self) -> Array:
        """Of each network."""
        units: Array = self.units_DN.mean(axis=0)
        return units

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
        return Truth(np.concatenate([self.units_DN, later.units_DN]), faults)


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
) -> Truth:
    """Return what the networks take; each dozen is timed for ``seconds``, once for each seed.

    Raises:
        RuntimeError: a process that times them failed; the message says what to do.
    """
    deals = [deal(space, networks, conditions, seconds, seed) for seed in seeds]
    units, faults = zip(*deals, strict=True)
    return Truth(np.array(units), max(faults))


def deal(
    space: SearchSpace,
    networks: Sequence[Architecture],
    conditions: Conditions,
    seconds: float,
    seed: int,
) -> tuple[Array, float]:
    """Return the units of each network, from processes of a dozen each, and the most page faults a run.

    Networks are dealt to processes anew for each seed, so that what is peculiar to a process, above all
    where its models lie in memory, falls on others each time.
    """
    anchor = anchor_architecture(space).workload()
    order = random.Random(seed).sample(range(len(networks)), k=len(networks))
    units = np.empty(len(networks))
    faults = 0.0
    for start in range(0, len(order), TRUTH_GROUP):
        group = order[start : start + TRUTH_GROUP]
        workloads = [anchor, *(networks[index].workload() for index in group)]
        timing = time_in_new_process(workloads, conditions, seconds, NETWORK_WARM_S, seed, TRUTH_RUNS)
        units[group] = timing.ratios()[1:]
        faults = max(faults, timing.page_faults_per_run)
    return units, faults
