import pytest

from search_server.latency.families import PULL, family_factors
from search_server.profiling.covers import family_architectures
from shared.search_space import search_space
from shared.workload import IDENTITY_KEY

SPACE = search_space("fbnet-tiny")
FAMILY = family_architectures(SPACE)["k3_e1"].workload()
KEYS = [key for key in FAMILY.segment_keys() if key != IDENTITY_KEY]


def test_entries_of_a_family_that_is_faster_than_its_sum_are_lowered() -> None:
    units = dict.fromkeys(KEYS, 0.1)
    total = 0.1 * len(KEYS)
    layers = 0.1 * (len(KEYS) - 2)
    factors = family_factors(units, {"family": FAMILY}, {"family": total - 0.1})
    assert set(factors) == set(FAMILY.segment_keys()[1:-1]) - {IDENTITY_KEY}
    assert list(factors.values()) == pytest.approx([1 - PULL * 0.1 / layers] * len(factors))


def test_a_family_without_a_measurement_changes_nothing() -> None:
    assert family_factors(dict.fromkeys(KEYS, 0.1), {"family": FAMILY}, {}) == {}


def test_there_is_a_family_for_every_candidate_but_skip() -> None:
    families = family_architectures(SPACE)
    assert set(families) == set(SPACE.candidates) - {"skip"}
    assert all(set(network.blocks) == {block} for block, network in families.items())
