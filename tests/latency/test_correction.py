"""What whole networks say of the entries, against cases whose truth is known."""

import random
from collections.abc import Mapping

import numpy as np
import pytest

from search_server.latency.correction import Observed, correct
from search_server.profiling.covers import cover_architectures, family_architectures
from shared.architecture import Architecture, random_architecture
from shared.workload import segment_key
from tests.latency.measured_leases import SPACE, network_us, true_segment_us

TRUTH = {key: us / 1000 for key, us in true_segment_us().items()}
COVERS = [network for seed in range(3) for network in cover_architectures(SPACE, seed)]
FAMILIES = list(family_architectures(SPACE).values())


def units(network: Architecture, entries: Mapping[str, float]) -> float:
    return network_us(network.workload(), entries)


def observed(network: Architecture, factor: float = 1.0) -> Observed:
    is_kin = network in FAMILIES
    return Observed(network.workload(), factor * units(network, TRUTH), is_kin)


def keys_of(block: str) -> set[str]:
    return {segment_key(SPACE.candidate(layer, block), layer.input_shape) for layer in SPACE.layers}


def largest_error(entries: Mapping[str, float], keys: set[str] | None = None) -> float:
    return max(abs(entries[key] / TRUTH[key] - 1) for key in keys or TRUTH)


def test_entries_that_agree_stay_as_they_are() -> None:
    corrected = correct({k: 7 * v for k, v in TRUTH.items()}, [observed(n) for n in COVERS], SPACE)
    assert largest_error(corrected.latency_units) == pytest.approx(0, abs=1e-9)
    assert corrected.misfit == pytest.approx(0, abs=1e-9)
    assert np.abs(corrected.left_out_errors).max() == pytest.approx(0, abs=1e-9)


def test_a_candidate_that_was_profiled_too_slow_is_found_out() -> None:
    wrong = keys_of("k5_e3")
    entries = {key: us * (1.12 if key in wrong else 1.0) for key, us in TRUTH.items()}
    corrected = correct(entries, [observed(n) for n in COVERS + FAMILIES], SPACE)
    assert largest_error(corrected.latency_units, wrong) < 0.04
    fresh = [random_architecture(SPACE, random.Random(seed)) for seed in range(30)]
    errors = [abs(units(n, corrected.latency_units) / units(n, TRUTH) - 1) for n in fresh]
    assert max(errors) < 0.01


def test_what_all_families_have_in_common_leaves_the_level_to_the_covers() -> None:
    networks = [*(observed(n) for n in COVERS), *(observed(n, 0.95) for n in FAMILIES)]
    corrected = correct(TRUTH, networks, SPACE)
    level = np.mean([units(n, corrected.latency_units) / units(n, TRUTH) for n in COVERS])
    assert level == pytest.approx(1, abs=0.005)


def test_left_out_errors_are_those_of_a_fit_without_the_network() -> None:
    generator = random.Random(1)
    networks = [observed(n, generator.gauss(1, 0.02)) for n in COVERS]
    errors = correct(TRUTH, networks, SPACE).left_out_errors
    for index in (0, 7, 20):
        others = networks[:index] + networks[index + 1 :]
        entries = correct(TRUTH, others, SPACE).latency_units
        without = network_us(networks[index].workload, entries) / networks[index].latency_units - 1
        assert errors[index] == pytest.approx(without, abs=0.002)
