import itertools

import numpy as np
import pytest

from search_server.nas.budget.caps import Cap
from search_server.nas.budget.knapsack import most_probable_within, networks_within


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
    found = most_probable_within(log_p_LK, caps, least_share=0.95)
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


def test_networks_come_by_falling_probability_and_all_of_them_keep_the_limit() -> None:
    """Of the four sums 2, 3, 4 and 5 three keep the limit of 4; the probabilities by hand."""
    log_p_LK = np.log([[0.3, 0.7], [0.6, 0.4]])
    cap = Cap("cost", "us", 0.0, np.array([[1.0, 3.0], [1.0, 2.0]]), 4.0)
    assert list(networks_within(log_p_LK, [cap])) == [[1, 0], [0, 0], [0, 1]]  # 0.42, 0.18, 0.12
    assert list(networks_within(log_p_LK, [cap], least_share=0.75)) == [[1, 0], [0, 1]]
