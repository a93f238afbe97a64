import itertools
import random

import numpy as np
import pytest
import torch

from search_server.nas.budget.caps import Cap, is_within
from search_server.nas.budget.decide import most_probable_within
from search_server.nas.choosing.sample import (
    decided_architecture,
    inherit,
    recalibrate,
    sample_architectures,
)
from search_server.nas.data.batches import evaluation_batches
from search_server.nas.data.data_sets import load_data
from search_server.nas.supernet.supernet import Supernet
from shared.architecture import random_architecture
from tests.nas.small_search import LATENCY, MIDDLE_US, SPACE, TABLE, cap_at, generator, random_theta


def supernet_with(theta_LK: torch.Tensor) -> Supernet:
    supernet = Supernet(SPACE, "entangled", generator())
    with torch.no_grad():
        supernet.theta_LK.copy_(theta_LK)
    return supernet


@pytest.mark.parametrize("num_caps", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_the_decoded_network_is_the_most_probable_one_of_all(seed: int, num_caps: int) -> None:
    """Against every network of six layers."""
    numbers = np.random.default_rng(seed)
    log_p_LK = np.log(numbers.dirichlet(np.ones(4), 6))
    everything = np.array(list(itertools.product(range(4), repeat=6)))
    caps = []
    for _ in range(num_caps):
        cost_LK = numbers.uniform(0, 100, (6, 4))
        costs = cost_LK[np.arange(6), everything].sum(1)
        caps.append(Cap("cost", "us", 7.0, cost_LK, 7.0 + float(np.quantile(costs, 0.5))))
    loads_ND = np.stack([cap.fixed + cap.cost_LK[np.arange(6), everything].sum(1) for cap in caps], axis=1)
    worst_N = (loads_ND / [cap.limit for cap in caps]).max(1)
    scores_N = log_p_LK[np.arange(6), everything].sum(1)
    found = most_probable_within(log_p_LK, caps, least_load=0.95)
    assert found is not None
    index = everything.tolist().index(found)
    assert 0.95 <= worst_N[index] <= 1
    # Partial networks within a bin of each other count as alike, so one near an end may be missed.
    slack = 6 / 4000
    surely_within_N = (worst_N >= 0.95 + slack) & (worst_N <= 1 - slack)
    assert scores_N[index] >= scores_N[surely_within_N].max()


def test_no_network_within_is_none_whatever_the_scale() -> None:
    cost_LK, log_p_LK = np.array([[1.0, 2.0], [1.0, 1e9]]), np.log(np.full((2, 2), 0.5))
    cap = Cap("cost", "us", 0.0, cost_LK, 1.9)
    assert most_probable_within(log_p_LK, [cap]) is None
    assert most_probable_within(log_p_LK, [cap.with_limit(2.0)]) == [0, 0]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_decided_network_holds_the_limit(share: float) -> None:
    cap = cap_at(LATENCY.min_us + share * (LATENCY.max_us - LATENCY.min_us))
    decided = decided_architecture(supernet_with(random_theta(1)), [cap], 0.97)
    assert cap.cost(decided) == pytest.approx(TABLE.predict_us(decided))
    assert is_within([cap], decided, 0.97 if 0 < share < 1 else 0.0)


def test_without_a_limit_the_decided_network_is_the_most_probable_one() -> None:
    supernet = supernet_with(random_theta(1))
    assert decided_architecture(supernet) == supernet.architecture()
    assert decided_architecture(supernet, [cap_at(2 * LATENCY.max_us)]) == supernet.architecture()


def test_a_limit_below_the_fastest_network_is_refused_with_figures() -> None:
    with pytest.raises(ValueError, match=r"within 0\.03 ms of latency; the least of each is 0\.\d+ ms"):
        decided_architecture(supernet_with(random_theta(1)), [cap_at(30.0)])


def test_drawn_networks_are_distinct_within_the_range_and_repeatable() -> None:
    supernet = supernet_with(random_theta(1))
    caps = [cap_at(1.1 * MIDDLE_US)]
    first, second = (
        list(sample_architectures(supernet, caps, 20, generator(3), least_load=0.82)) for _ in range(2)
    )
    assert first == second
    assert len({network.blocks for network in first}) == 20
    assert all(0.9 * MIDDLE_US < TABLE.predict_us(network) <= 1.1 * MIDDLE_US for network in first)


def test_a_decided_theta_draws_many_networks_once_it_may_be_less_decided() -> None:
    theta_LK = random_theta(1, size=30.0)
    supernet, caps = supernet_with(theta_LK), [cap_at(1.1 * MIDDLE_US)]
    few, many = (
        list(sample_architectures(supernet, caps, 20, generator(3), least_load=0.9, least_entropy=entropy))
        for entropy in (0.0, 0.5)
    )
    assert len(few) < 5
    assert len(many) == 20
    assert all(is_within(caps, network, 0.9) for network in many)
    assert torch.equal(supernet.theta_LK.detach(), theta_LK)


def test_inherited_weights_leave_the_supernet_alone() -> None:
    supernet = supernet_with(random_theta(1))
    before = {name: value.clone() for name, value in supernet.state_dict().items()}
    network = inherit(supernet, random_architecture(SPACE, random.Random(0)))
    data = load_data("digits", SPACE.resolution)
    recalibrate(network, evaluation_batches(data.weights.select(range(64))))
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())
