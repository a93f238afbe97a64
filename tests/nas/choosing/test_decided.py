"""The decided network, by tables that are sums and by tables that know more of a network."""

import random
from dataclasses import dataclass

import numpy as np
import pytest

from search_server.nas.budget.caps import Cap, is_within, weighted_cap
from search_server.nas.choosing.decided import decided_architecture
from search_server.nas.choosing.drawn import drawn_architectures
from shared.architecture import Architecture, random_architecture
from tests.nas.small_search import (
    LEAST_US,
    MOST_US,
    NUM_CANDIDATES,
    NUM_LAYERS,
    SPACE,
    TABLE,
    MacsTable,
    cap_at,
    generator,
    random_theta,
    supernet_with,
)


@dataclass(frozen=True)
class SociableTable(MacsTable):
    """Like neighbours save up to a twentieth, unlike ones add a hundredth."""

    def predict_us(self, architecture: Architecture) -> float:
        pairs = list(zip(architecture.blocks, architecture.blocks[1:], strict=False))
        share_of_likes = sum(a == b for a, b in pairs) / len(pairs)
        return super().predict_us(architecture) * (1.01 - 0.06 * share_of_likes)


@dataclass(frozen=True)
class LonelyTable(MacsTable):
    """Every network takes a hundredth more than its sum."""

    def predict_us(self, architecture: Architecture) -> float:
        return 1.01 * super().predict_us(architecture)


SOCIABLE = SociableTable(SPACE)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_decided_network_holds_the_limit(share: float) -> None:
    cap = cap_at(LEAST_US + share * (MOST_US - LEAST_US))
    decided = decided_architecture(supernet_with(random_theta(1)), [cap], 0.97)
    assert cap.cost(decided) == pytest.approx(TABLE.predict_us(decided))
    assert is_within([cap], decided, 0.97 if 0 < share < 1 else 0.0)


def test_without_a_limit_the_decided_network_is_the_most_probable_one() -> None:
    supernet = supernet_with(random_theta(1))
    assert decided_architecture(supernet) == supernet.architecture()
    assert decided_architecture(supernet, [cap_at(2 * MOST_US)]) == supernet.architecture()


def test_a_limit_below_the_fastest_network_is_refused_with_figures() -> None:
    with pytest.raises(ValueError, match=r"within 0\.03 ms of latency; the least of each is 0\.\d+ ms"):
        decided_architecture(supernet_with(random_theta(1)), [cap_at(30.0)])


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(3))
def test_listed_networks_keep_the_limit_as_predicted(share: float, seed: int) -> None:
    """And use it nearly in full, wherever theta leans: their sums are up to 4 % off."""
    limit_us = LEAST_US + share * (MOST_US - LEAST_US)
    caps = [cap_at(limit_us, SOCIABLE)]
    supernet = supernet_with(random_theta(seed, size=5.0))
    drawn = drawn_architectures(supernet, caps, 4, generator(1), least_share=0.97, least_entropy=0.5)
    networks = [decided_architecture(supernet, caps, 0.97), *drawn]
    assert len(networks) == 5
    assert all(0.97 * limit_us <= SOCIABLE.predict_us(network) <= limit_us for network in networks)


def test_a_limit_that_only_sums_keep_gets_the_network_of_the_sum() -> None:
    fastest_us = 1.001 * LEAST_US
    cap = cap_at(fastest_us, LonelyTable(SPACE))
    decided = decided_architecture(supernet_with(random_theta(1)), [cap], 0.97)
    assert TABLE.predict_us(decided) <= fastest_us < LonelyTable(SPACE).predict_us(decided)


def test_a_weighted_mean_of_devices_is_that_of_their_predictions() -> None:
    """Weights 1 and 3: a quarter of 40 / 100, and three quarters of 30 / 50."""
    network = random_architecture(SPACE, random.Random(3))
    nothing_LK = np.zeros((NUM_LAYERS, NUM_CANDIDATES))
    caps = [
        Cap("one", "us", 0.0, nothing_LK, 100.0, lambda _: 40.0),
        Cap("two", "us", 0.0, nothing_LK, 50.0, lambda _: 30.0),
    ]
    assert weighted_cap(caps, (1.0, 3.0)).cost(network) == pytest.approx(0.25 * 0.4 + 0.75 * 0.6)
