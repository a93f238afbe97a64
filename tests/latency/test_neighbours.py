import random
from dataclasses import replace

import numpy as np
import pytest

from search_server.latency.layouts import layout_changes
from search_server.latency.neighbours import LayoutCost, Neighbours, sameness
from shared.architecture import Architecture, random_architecture, uniform_architecture
from shared.search_space import search_space

SPACE = search_space("fbnet-96-035")


def test_a_random_network_is_the_measure_of_sameness() -> None:
    generator = random.Random(0)
    networks = [random_architecture(SPACE, generator) for _ in range(2000)]
    assert np.mean([sameness(network) for network in networks]) == pytest.approx(0, abs=0.003)
    assert sameness(uniform_architecture(SPACE, "k5_e3")) == pytest.approx(1)
    half = Architecture(SPACE, ("k3_e3", "k5_e6") * (SPACE.num_layers // 2))
    assert 0.4 < sameness(half) < 0.5


def test_a_space_of_one_candidate_knows_no_sameness() -> None:
    only = replace(SPACE, candidates=("k3_e3",))
    assert sameness(uniform_architecture(only, "k3_e3")) == 0


def test_a_network_of_one_candidate_takes_its_share_less() -> None:
    network = uniform_architecture(SPACE, "k3_e3")
    assert Neighbours(sameness_effect=-0.04).network_units(2.0, network) == pytest.approx(1.92)


def test_layouts_cost_in_units_and_scale_with_the_entries() -> None:
    network = uniform_architecture(SPACE, "k5_e1_g2")
    surplus = layout_changes(SPACE, 8).surplus(network.workload())
    neighbours = Neighbours((LayoutCost(8, 0.004),))
    assert neighbours.network_units(0.7, network) == pytest.approx(0.7 + 0.004 * surplus)
    assert neighbours.scaled(2.0).network_units(1.4, network) == pytest.approx(2 * (0.7 + 0.004 * surplus))


def test_without_any_a_network_is_the_sum_of_its_entries() -> None:
    network = random_architecture(SPACE, random.Random(1))
    assert Neighbours().network_units(1.25, network) == 1.25
    assert not Neighbours().usual_units_LK(SPACE).any()
