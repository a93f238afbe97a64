"""The largest network within the limits, against every network of a small space."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from search_server.nas.budget.caps import Cap
from search_server.nas.choosing.most import most_network
from search_server.search_options import MostName, SearchOptions
from shared.architecture import Architecture
from tests.nas.small_search import MIDDLE_MS, NUM_LAYERS, SPACE, small_search

FEW = replace(SPACE, candidates=("k3_e1", "k3_e6", "k5_e3", "skip"))
EVERY = [Architecture(FEW, blocks) for blocks in itertools.product(FEW.candidates, repeat=NUM_LAYERS)]
INDICES = np.array([network.indices for network in EVERY])
WORKLOADS = [network.workload() for network in EVERY]
SIZES: dict[MostName, np.ndarray] = {
    "macs": np.array([workload.macs for workload in WORKLOADS], dtype=float),
    "params": np.array([workload.num_params for workload in WORKLOADS], dtype=float),
}
SIZES["both"] = sum(sizes / sizes.max() for sizes in SIZES.values())
COST_LK = np.random.default_rng(0).uniform(1.0, 10.0, (NUM_LAYERS, len(FEW.candidates)))
"""Microseconds that go with no count of the blocks."""
COST = COST_LK[np.arange(NUM_LAYERS), INDICES].sum(1)
BIN = NUM_LAYERS / 4000
"""Networks whose sums differ by less may stand for each other in decoding."""


@pytest.mark.parametrize("most", ["macs", "params", "both"])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.9])
def test_no_other_network_within_the_limit_has_more(most: MostName, share: float) -> None:
    limit = float(COST.min() + share * (COST.max() - COST.min()))
    network = most_network(FEW, [Cap("latency", "us", 0.0, COST_LK, limit)], most)
    place = EVERY.index(network)
    assert COST[place] <= limit
    assert SIZES[most][place] >= SIZES[most][limit * (1 - BIN) >= COST].max()


def test_of_two_limits_both_are_kept() -> None:
    other_LK = COST_LK[:, ::-1]
    other = other_LK[np.arange(NUM_LAYERS), INDICES].sum(1)
    limits = float(np.quantile(COST, 0.4)), float(np.quantile(other, 0.5))
    caps = [Cap("a", "us", 0.0, COST_LK, limits[0]), Cap("b", "us", 0.0, other_LK, limits[1])]
    place = EVERY.index(most_network(FEW, caps, "macs"))
    assert (COST[place] <= limits[0]) & (other[place] <= limits[1])
    within = (limits[0] * (1 - BIN) >= COST) & (limits[1] * (1 - BIN) >= other)
    assert SIZES["macs"][place] >= SIZES["macs"][within].max()


def test_the_prediction_of_the_whole_network_decides_where_it_is_known() -> None:
    """Every network that has a ``k3_e6`` takes a tenth more than its sum."""

    def predict(network: Architecture) -> float:
        return float(COST[EVERY.index(network)]) * (1.1 if "k3_e6" in network.blocks else 1.0)

    limit = float(np.quantile(COST, 0.5))
    network = most_network(FEW, [Cap("latency", "us", 0.0, COST_LK, limit, predict)], "macs")
    assert predict(network) <= limit
    predicted = np.array([predict(each) for each in EVERY])
    assert SIZES["macs"][EVERY.index(network)] >= SIZES["macs"][limit * (1 - BIN) >= predicted].max()


def test_a_supernet_is_not_trained_along_no_path() -> None:
    with pytest.raises(ValueError, match="paths 'none' trains no supernet"):
        small_search(SearchOptions(target_ms=MIDDLE_MS, paths="none"))
