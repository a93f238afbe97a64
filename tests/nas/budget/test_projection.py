import itertools
import math
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from search_server.nas.budget.caps import Cap, is_within, macs_cap, params_cap
from search_server.nas.budget.latency_model import LatencyModel
from search_server.nas.budget.projection import hold, mean_entropy, project, softmax
from search_server.nas.budget.search_caps import DeviceTable, search_caps
from search_server.nas.choosing.decided import decided_architecture
from search_server.nas.supernet.paths import log_probabilities
from search_server.search_options import CombineName, SearchOptions
from shared.architecture import random_architecture
from tests.nas.small_search import (
    LATENCY,
    LEAST_US,
    MIDDLE_MS,
    MIDDLE_US,
    MOST_US,
    NUM_CANDIDATES,
    NUM_LAYERS,
    SPACE,
    TABLE,
    HandTable,
    cap_at,
    random_theta,
    small_search,
)

TWO_CANDIDATES = replace(SPACE, candidates=("k3_e1", "k3_e3"))


TARGETS_US = [LEAST_US + share * (MOST_US - LEAST_US) for share in (0.02, 0.3, 0.9)]


def expected_us(theta_LK: torch.Tensor) -> float:
    return float(LATENCY.expected_us(log_probabilities(theta_LK.double()).exp()))


@pytest.mark.parametrize("target_us", TARGETS_US)
@pytest.mark.parametrize("size", [0.0, 1.0, 30.0])
def test_expected_latency_is_the_target(target_us: float, size: float) -> None:
    theta_LK = random_theta(2, size)
    hold(theta_LK, [cap_at(target_us)], math.inf)
    assert expected_us(theta_LK) == pytest.approx(target_us, rel=1e-5)


@pytest.mark.parametrize("target_us", TARGETS_US)
def test_it_is_the_target_and_decided_too(target_us: float) -> None:
    theta_LK = random_theta(2)
    limit = 0.1 * math.log(NUM_CANDIDATES)
    hold(theta_LK, [cap_at(target_us)], limit)
    assert expected_us(theta_LK) == pytest.approx(target_us, rel=1e-4)
    assert mean_entropy(theta_LK.double().numpy()) <= limit * 1.001


def test_large_logits_with_near_ties_are_held_too() -> None:
    """As the first step of an optimiser leaves them that differentiates."""
    theta_LK = 300 * random_theta(2).sign() + random_theta(3)
    limit = 0.1 * math.log(NUM_CANDIDATES)
    hold(theta_LK, [cap_at(MIDDLE_US)], limit)
    assert expected_us(theta_LK) == pytest.approx(MIDDLE_US, rel=1e-3)
    assert mean_entropy(theta_LK.double().numpy()) <= limit * 1.01


def test_without_a_target_only_the_entropy_is_held() -> None:
    theta_LK = random_theta(2)
    before_LK = theta_LK.clone()
    hold(theta_LK, [], math.inf)
    torch.testing.assert_close(log_probabilities(theta_LK), log_probabilities(before_LK))
    hold(theta_LK, [], 0.5)
    assert mean_entropy(theta_LK.double().numpy()) == pytest.approx(0.5, rel=1e-3)
    assert torch.equal(theta_LK.argmax(1), before_LK.argmax(1))


def test_the_tilted_distribution_is_the_nearest_one_that_holds_the_target() -> None:
    """Against all distributions of one layer of three candidates, on a grid."""
    logits_K, latency_us_K, target_us = np.array([0.3, -0.2, 0.5]), np.array([1.0, 4.0, 9.0]), 3.0
    prior_K = np.exp(logits_K) / np.exp(logits_K).sum()

    def distance(p_K: np.ndarray) -> float:
        return float((p_K * np.log(p_K / prior_K)).sum())

    cap = Cap("latency", "us", 0.0, latency_us_K[None], target_us)
    held_K = np.exp(project(logits_K[None], [cap])[0])
    held_K /= held_K.sum()
    assert held_K @ latency_us_K == pytest.approx(target_us)
    for third in np.linspace(0.01, 0.24, 24):
        second = (target_us - 1 - third * 8) / 3
        p_K = np.array([1 - second - third, second, third])
        assert p_K @ latency_us_K == pytest.approx(target_us)
        assert distance(p_K) >= distance(held_K) - 1e-12


def test_every_step_of_theta_holds_the_target() -> None:
    options = SearchOptions(target_ms=MIDDLE_MS, epochs=2, warmup_epochs=0, theta_lr=1.0, theta_paths=2)
    run = small_search(options)
    assert run.theta.expected_us() == pytest.approx(MIDDLE_US, rel=1e-4)
    run.supernet.train()
    for batch, progress in zip(
        itertools.chain(run.theta_batches, run.theta_batches), range(6), strict=True
    ):
        run.theta.step(batch, 1.0, 1 - 0.15 * progress)
        assert run.theta.expected_us() == pytest.approx(MIDDLE_US, rel=1e-4)


def two_caps(first: float, second: float) -> list[Cap]:
    """Two costs of one layer of three candidates, at odds with each other."""
    return [
        Cap("first", "us", 0.0, np.array([[1.0, 4.0, 9.0]]), first),
        Cap("second", "us", 0.0, np.array([[8.0, 2.0, 4.0]]), second),
    ]


@pytest.mark.parametrize("limits", [(3.0, 5.0), (4.0, 3.2), (6.0, 4.0), (8.0, 7.0), (5.0, 7.0)])
def test_several_caps_are_held_by_the_nearest_distribution(limits: tuple[float, float]) -> None:
    """Against all distributions on a grid whose worst share of a limit is 1."""
    logits_LK, caps = np.array([[0.3, -0.2, 0.5]]), two_caps(*limits)
    prior_K = softmax(logits_LK)[0]
    held_LK = softmax(project(logits_LK, caps))
    shares = [cap.expected(held_LK) / cap.limit for cap in caps]
    assert max(shares) == pytest.approx(1, abs=2e-5)

    def distance(p_K: np.ndarray) -> float:
        return float((p_K * np.log(p_K / prior_K)).sum())

    first, second = np.meshgrid(np.linspace(1e-4, 1, 1500), np.linspace(1e-4, 1, 1500))
    inside = first + second < 1
    grid_GK = np.stack([first[inside], second[inside], 1 - first[inside] - second[inside]], axis=1)
    worst_G = np.max([grid_GK @ cap.cost_LK[0] / cap.limit for cap in caps], axis=0)
    edge_GK = grid_GK[(worst_G > 0.9995) & (worst_G < 1.0005)]
    nearest = (edge_GK * np.log(edge_GK / prior_K)).sum(1).min()
    assert distance(held_LK[0]) == pytest.approx(nearest, abs=3e-3)


@pytest.mark.parametrize("combine", ["worst", "weighted"])
def test_a_search_for_two_devices_holds_both_or_their_mean(combine: CombineName) -> None:
    slow = replace(TABLE, us_per_mac=3e-4, overhead_us=1.0)
    slow_us = cap_at(1.0, slow)
    slow_target_us = slow_us.least + 0.3 * (slow_us.most - slow_us.least)
    devices = (DeviceTable("fast", TABLE, MIDDLE_MS), DeviceTable("slow", slow, slow_target_us / 1000))
    options = SearchOptions(
        combine=combine,
        epochs=2,
        warmup_epochs=1,
        theta_paths=2,
    )
    run = small_search(options, devices)
    *_, facts = run
    shares = [cost.expected / cost.limit for cost in facts.costs]
    assert [cost.name for cost in facts.costs] == (
        ["fast", "slow"] if combine == "worst" else ["weighted mean of fast, slow"]
    )
    assert max(shares) == pytest.approx(1, abs=1e-4)
    assert is_within(run.caps, decided_architecture(run.supernet, run.caps, 0.97), 0.97)
    assert facts.warnings == ()


def test_macs_and_parameters_are_limits_like_any_other() -> None:
    network = random_architecture(SPACE, random.Random(0))
    workload = network.workload()
    macs, params = macs_cap(SPACE, 1.0), params_cap(SPACE, 1.0)
    assert (macs.cost(network), params.cost(network)) == (workload.macs, workload.num_params)
    max_macs = round((macs.least + macs.most) / 2)
    options = SearchOptions(
        target_ms=0.9 * MOST_US / 1000,
        max_macs=max_macs,
        max_params=round(params.most),
        epochs=1,
        warmup_epochs=0,
        theta_paths=2,
    )
    run = small_search(options)
    (facts,) = run
    shares = {cost.name: cost.expected / cost.limit for cost in facts.costs}
    assert shares["MACs"] == pytest.approx(1, abs=1e-4)
    assert max(shares["latency"], shares["parameters"]) < 1
    assert decided_architecture(run.supernet, run.caps).workload().macs <= max_macs


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_ms": 0.02}, r"target 0\.02 ms of latency is out of reach, below.*0\.\d+ ms to 0\.\d+ ms"),
        ({"target_ms": 1e3}, r"target 1000 ms of latency is out of reach, above.*0\.\d+ ms to 0\.\d+ ms"),
        ({"max_macs": 1000}, r"limit 0\.001 M MACs of MACs is out of reach"),
    ],
)
def test_a_limit_out_of_reach_is_refused_with_figures(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_search(SearchOptions(**{"target_ms": MIDDLE_MS, **changes}))


def test_limits_that_no_network_keeps_together_are_refused() -> None:
    rows = np.array([[1.0, 9.0]] * NUM_LAYERS)
    pair = {name: HandTable(each.tolist()) for name, each in (("a", rows), ("b", rows[:, ::-1]))}
    devices = [DeviceTable(name, table, 3e-3 * NUM_LAYERS) for name, table in pair.items()]
    latencies = [LatencyModel(device.table, NUM_LAYERS, 2) for device in devices]
    with pytest.raises(
        ValueError, match=r"no network keeps all limits at once \(a: 0\.018 ms, of 0\.006 ms to 0\.054 ms"
    ):
        search_caps(TWO_CANDIDATES, devices, latencies, SearchOptions())
