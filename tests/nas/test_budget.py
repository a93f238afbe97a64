import itertools
import math

import numpy as np
import pytest
import torch

from search_server.nas.budget import hold, mean_entropy, tilt
from search_server.nas.config import SearchConfig
from search_server.nas.paths import log_probabilities
from tests.nas.small_search import LATENCY, MIDDLE_US, NUM_CANDIDATES, random_theta, small_search

TARGETS_US = [LATENCY.min_us + share * (LATENCY.max_us - LATENCY.min_us) for share in (0.02, 0.3, 0.9)]


def expected_us(theta_LK: torch.Tensor) -> float:
    return float(LATENCY.expected_us(log_probabilities(theta_LK.double()).exp()))


@pytest.mark.parametrize("target_us", TARGETS_US)
@pytest.mark.parametrize("size", [0.0, 1.0, 30.0])
def test_expected_latency_is_the_target(target_us: float, size: float) -> None:
    theta_LK = random_theta(2, size)
    hold(theta_LK, LATENCY, target_us, math.inf)
    assert expected_us(theta_LK) == pytest.approx(target_us, rel=1e-5)


@pytest.mark.parametrize("target_us", TARGETS_US)
def test_it_is_the_target_and_decided_too(target_us: float) -> None:
    theta_LK = random_theta(2)
    limit = 0.1 * math.log(NUM_CANDIDATES)
    hold(theta_LK, LATENCY, target_us, limit)
    assert expected_us(theta_LK) == pytest.approx(target_us, rel=1e-4)
    assert mean_entropy(theta_LK.double().numpy()) <= limit * 1.001


def test_without_a_target_only_the_entropy_is_held() -> None:
    theta_LK = random_theta(2)
    before_LK = theta_LK.clone()
    hold(theta_LK, LATENCY, None, math.inf)
    torch.testing.assert_close(log_probabilities(theta_LK), log_probabilities(before_LK))
    hold(theta_LK, LATENCY, None, 0.5)
    assert mean_entropy(theta_LK.double().numpy()) == pytest.approx(0.5, rel=1e-3)
    assert torch.equal(theta_LK.argmax(1), before_LK.argmax(1))


def test_the_tilted_distribution_is_the_nearest_one_that_holds_the_target() -> None:
    """Against all distributions of one layer of three candidates, on a grid."""
    logits_K, latency_us_K, target_us = np.array([0.3, -0.2, 0.5]), np.array([1.0, 4.0, 9.0]), 3.0
    prior_K = np.exp(logits_K) / np.exp(logits_K).sum()

    def distance(p_K: np.ndarray) -> float:
        return float((p_K * np.log(p_K / prior_K)).sum())

    held_K = np.exp(tilt(logits_K[None], latency_us_K[None], target_us)[0])
    held_K /= held_K.sum()
    assert held_K @ latency_us_K == pytest.approx(target_us)
    for third in np.linspace(0.01, 0.24, 24):
        second = (target_us - 1 - third * 8) / 3
        p_K = np.array([1 - second - third, second, third])
        assert p_K @ latency_us_K == pytest.approx(target_us)
        assert distance(p_K) >= distance(held_K) - 1e-12


def test_every_step_of_theta_holds_the_target() -> None:
    config = SearchConfig(target_us=MIDDLE_US, epochs=2, warmup_epochs=0, theta_lr=1.0, theta_paths=2)
    run = small_search(config)
    assert run.theta.expected_us() == pytest.approx(MIDDLE_US, rel=1e-4)
    run.supernet.train()
    for batch, progress in zip(
        itertools.chain(run.theta_batches, run.theta_batches), range(6), strict=True
    ):
        run.theta.step(batch, 1.0, 1 - 0.15 * progress)
        assert run.theta.expected_us() == pytest.approx(MIDDLE_US, rel=1e-4)


def test_an_unreachable_target_is_refused_with_figures() -> None:
    with pytest.raises(ValueError, match=r"target 0\.02 ms is out of reach.*take 0\.\d+ to 0\.\d+ ms"):
        small_search(SearchConfig(target_us=20.0))
