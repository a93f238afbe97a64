import itertools
import random

import numpy as np
import pytest
import torch

from search_server.nas.batches import evaluation_batches
from search_server.nas.data import load_data
from search_server.nas.sample import (
    decided_architecture,
    most_probable_within,
    rank,
    sample_architectures,
)
from search_server.nas.supernet import Supernet
from shared.architecture import random_architecture
from tests.nas.small_search import LATENCY, MIDDLE_US, SPACE, TABLE, generator, random_theta


def supernet_with(theta_LK: torch.Tensor) -> Supernet:
    supernet = Supernet(SPACE, "entangled", generator())
    with torch.no_grad():
        supernet.theta_LK.copy_(theta_LK)
    return supernet


@pytest.mark.parametrize("seed", range(10))
def test_most_probable_within_agrees_with_trying_every_network(seed: int) -> None:
    numbers = np.random.default_rng(seed)
    latency_us_LK = numbers.uniform(0, 100, (4, 3))
    log_p_LK = np.log(numbers.dirichlet(np.ones(3), 4))
    everything = list(itertools.product(range(3), repeat=4))
    layers = np.arange(4)
    totals_us = np.array([latency_us_LK[layers, indices].sum() for indices in everything])
    scores = np.array([log_p_LK[layers, indices].sum() for indices in everything])
    low_us, high_us = np.quantile(totals_us, [0.3, 0.6])
    # Latencies are rounded up to steps, so a network within four steps of an end may be missed.
    slack_us = 5 * (high_us - latency_us_LK.min(1).sum()) / 4000
    found = most_probable_within(log_p_LK, latency_us_LK, low_us, high_us)
    assert found is not None
    index = everything.index(tuple(found))
    assert low_us <= totals_us[index] <= high_us
    surely_within = (totals_us >= low_us + slack_us) & (totals_us <= high_us - slack_us)
    assert scores[index] >= scores[surely_within].max()


def test_no_network_within_is_none_whatever_the_scale() -> None:
    latency_us_LK = np.array([[1.0, 2.0], [1.0, 1e9]])
    log_p_LK = np.log(np.full((2, 2), 0.5))
    assert most_probable_within(log_p_LK, latency_us_LK, 0.0, 1.9) is None
    assert most_probable_within(log_p_LK, latency_us_LK, 0.0, 2.0) == [0, 0]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_decided_network_holds_the_limit(share: float) -> None:
    high_us = LATENCY.min_us + share * (LATENCY.max_us - LATENCY.min_us)
    decided = decided_architecture(supernet_with(random_theta(1)), TABLE, high_us, 0.95 * high_us)
    assert TABLE.predict_us(decided) <= high_us * (1 + 1e-9)
    if 0 < share < 1:
        assert TABLE.predict_us(decided) >= 0.95 * high_us


def test_without_a_limit_the_decided_network_is_the_most_probable_one() -> None:
    supernet = supernet_with(random_theta(1))
    assert decided_architecture(supernet, TABLE) == supernet.architecture()
    assert decided_architecture(supernet, TABLE, 2 * LATENCY.max_us) == supernet.architecture()


def test_a_limit_below_the_fastest_network_is_refused_with_figures() -> None:
    with pytest.raises(ValueError, match=r"run in 0\.03 ms; the fastest takes 0\.\d+ ms"):
        decided_architecture(supernet_with(random_theta(1)), TABLE, 30.0)


def test_drawn_networks_are_distinct_within_the_range_and_repeatable() -> None:
    supernet = supernet_with(random_theta(1))
    low_us, high_us = 0.9 * MIDDLE_US, 1.1 * MIDDLE_US
    first, second = (
        list(
            sample_architectures(
                supernet, TABLE.predict_us, 20, generator(3), low_us=low_us, high_us=high_us
            )
        )
        for _ in range(2)
    )
    assert first == second
    assert len({network.blocks for network in first}) == 20
    assert all(low_us <= TABLE.predict_us(network) <= high_us for network in first)


def test_ranking_sorts_by_accuracy_and_leaves_the_supernet_alone() -> None:
    supernet = supernet_with(random_theta(1))
    before = {name: value.clone() for name, value in supernet.state_dict().items()}
    data = load_data("digits", SPACE.resolution)
    batches = evaluation_batches(data.weights.select(range(64)))
    networks = [random_architecture(SPACE, random.Random(seed)) for seed in range(4)]
    ranked = rank(supernet, networks, TABLE.predict_us, batches, batches)
    assert {each.architecture.blocks for each in ranked} == {network.blocks for network in networks}
    accuracies = [each.supernet_accuracy for each in ranked]
    assert accuracies == sorted(accuracies, reverse=True)
    assert all(each.predicted_us == TABLE.predict_us(each.architecture) for each in ranked)
    assert all(each.log_probability < 0 for each in ranked)
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())
