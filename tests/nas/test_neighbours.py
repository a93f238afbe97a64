"""A table whose networks take more or less than the sum over their layers, as blocks stand together."""

import random
import statistics
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from search_server.nas.budget.caps import is_within
from search_server.nas.budget.cautious_table import CautiousTable
from search_server.nas.choosing.sample import decided_architecture, sample_architectures, typical_networks
from search_server.nas.config import SearchConfig
from shared.architecture import Architecture, random_architecture, uniform_architecture
from tests.nas.budget.test_projection import UncertainTable
from tests.nas.small_search import (
    LATENCY,
    MIDDLE_US,
    SPACE,
    TABLE,
    MacsTable,
    generator,
    run_epochs,
    small_search,
)
from tests.nas.test_checkpoint import assert_resumes_to_the_same_bits

CONFIG = SearchConfig(target_us=MIDDLE_US, epochs=4, warmup_epochs=1, theta_paths=2)


def share_of_likes(architecture: Architecture) -> float:
    pairs = list(zip(architecture.blocks, architecture.blocks[1:], strict=False))
    return sum(a == b for a, b in pairs) / len(pairs)


@dataclass(frozen=True)
class SociableTable(MacsTable):
    """Like neighbours save up to a twentieth, unlike ones add a hundredth."""

    def predict_us(self, architecture: Architecture) -> float:
        return super().predict_us(architecture) * (1.01 - 0.06 * share_of_likes(architecture))


@dataclass(frozen=True)
class LonelyTable(MacsTable):
    """Every network takes a hundredth more than its sum."""

    def predict_us(self, architecture: Architecture) -> float:
        return 1.01 * super().predict_us(architecture)


SOCIABLE = SociableTable(SPACE)


def test_expected_latency_is_that_of_the_networks_that_theta_draws() -> None:
    run = small_search(CONFIG, SOCIABLE)
    run_epochs(run, 3)
    (facts,) = run
    networks = typical_networks(SPACE, run.supernet.theta_LK)
    mean_us = statistics.mean(map(SOCIABLE.predict_us, networks))
    assert facts.expected_latency_us == pytest.approx(MIDDLE_US, rel=1e-3)
    assert mean_us == pytest.approx(MIDDLE_US, rel=5e-3)  # a sample's mean, and the last hold moves theta
    assert abs(statistics.mean(map(TABLE.predict_us, networks)) / MIDDLE_US - 1) > 0.01
    assert facts.costs[0].expected == pytest.approx(facts.expected_latency_us)


def test_found_networks_keep_the_limit_as_predicted() -> None:
    run = small_search(CONFIG, SOCIABLE)
    list(run)
    decided = decided_architecture(run.supernet, run.caps, 0.97)
    drawn = list(sample_architectures(run.supernet, run.caps, 8, generator(1), least_load=0.97))
    assert len(drawn) == 8
    for network in (decided, *drawn):
        assert 0.97 * MIDDLE_US <= SOCIABLE.predict_us(network) <= MIDDLE_US
        assert is_within(run.caps, network, 0.97)


def test_a_limit_that_neighbours_alone_break_gets_the_network_of_the_sum() -> None:
    fastest_us = 1.001 * LATENCY.min_us
    run = small_search(replace(CONFIG, target_us=fastest_us), LonelyTable(SPACE))
    list(run)
    decided = decided_architecture(run.supernet, run.caps, 0.97)
    assert TABLE.predict_us(decided) <= fastest_us < LonelyTable(SPACE).predict_us(decided)


def test_an_interrupted_search_reckons_with_the_same_neighbours(tmp_path: Path) -> None:
    resumed, whole = assert_resumes_to_the_same_bits(lambda: small_search(CONFIG, SOCIABLE), tmp_path)
    assert [cap.base for cap in resumed.caps] == [cap.base for cap in whole.caps]


def test_a_cautious_table_raises_whole_predictions_too() -> None:
    table = UncertainTable(SPACE)
    cautious = CautiousTable(table, 2.0)
    network = uniform_architecture(SPACE, "k5_e3")
    rows, indices = cautious.latency_us_LK(), network.indices
    sum_us = cautious.fixed_us + sum(row[index] for row, index in zip(rows, indices, strict=True))
    assert cautious.predict_us(network) == pytest.approx(sum_us)


def test_a_weighted_mean_of_devices_has_its_neighbours() -> None:
    config = SearchConfig(
        target_us=(MIDDLE_US, 1.2 * MIDDLE_US),
        combine="weighted",
        table_weights=(1.0, 3.0),
        epochs=1,
        warmup_epochs=0,
        theta_paths=2,
    )
    run = small_search(config, (SOCIABLE, TABLE))
    (cap,) = run.caps
    network = random_architecture(SPACE, random.Random(3))
    wanted = 0.25 * SOCIABLE.predict_us(network) / MIDDLE_US + 0.625 * TABLE.predict_us(network) / MIDDLE_US
    assert cap.cost(network) == pytest.approx(wanted)
