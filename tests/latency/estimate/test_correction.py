"""What whole networks say of the entries, against cases whose truth is known."""

import random
from collections.abc import Mapping

import numpy as np
import pytest

from search_server.latency.covers import cover_architectures, family_architectures
from search_server.latency.estimate.assumptions import USUAL, Assumptions
from search_server.latency.estimate.correction import Corrected, correct
from search_server.latency.estimate.median_polish import ProfileTimes, SegmentTime
from search_server.latency.estimate.observations import Observations, Observed
from search_server.latency.layouts import layout_changes
from shared.architecture import Architecture, random_architecture, uniform_architecture
from shared.workload import segment_key
from tests.latency.measured_leases import SPACE, network_us, true_segment_us

TRUTH = {key: us / 1000 for key, us in true_segment_us().items()}
COVERS = [network for seed in range(3) for network in cover_architectures(SPACE, seed)]
FAMILIES = list(family_architectures(SPACE).values())


def units(network: Architecture, entries: Mapping[str, float]) -> float:
    return network_us(network.workload(), entries)


def observed(network: Architecture, factor: float = 1.0, error: float = 0.0) -> Observed:
    is_kin = network in FAMILIES
    return Observed(network.workload(), factor * units(network, TRUTH), error, is_kin)


def corrected_by(
    networks: list[Observed],
    entries: Mapping[str, float] = TRUTH,
    cost_us: float = 0.0,
    between_nodes_us: float | None = None,
    assumptions: Assumptions = USUAL,
) -> Corrected:
    """Return what the networks make of entries in thousandths of a microsecond, two nodes each."""
    segments = {key: SegmentTime(1000 * units + 2 * cost_us, 2.0, 50) for key, units in entries.items()}
    profile = ProfileTimes(segments, between_nodes_us)
    return correct(Observations(profile, tuple(networks)), SPACE, assumptions)


def keys_of(block: str) -> set[str]:
    return {segment_key(SPACE.candidate(layer, block), layer.input_shape) for layer in SPACE.layers}


def largest_error(entries: Mapping[str, float], keys: set[str] | None = None) -> float:
    return max(abs(entries[key] / TRUTH[key] - 1) for key in keys or TRUTH)


def test_entries_that_agree_stay_as_they_are() -> None:
    corrected = corrected_by([observed(n) for n in COVERS])
    assert largest_error(corrected.latency_units) < 0.02
    assert corrected.node_cost_us < 0.5


def test_what_the_profiler_costs_a_node_is_found() -> None:
    corrected = corrected_by([observed(n) for n in COVERS + FAMILIES], cost_us=2.0)
    assert corrected.node_cost_us == pytest.approx(2.0, abs=0.1)
    assert largest_error(corrected.latency_units) < 0.04


@pytest.mark.parametrize("between_us", [2.5, 25.0])
def test_what_is_seen_between_nodes_tells_a_cost_that_networks_cannot(between_us: float) -> None:
    generator = random.Random(0)
    networks = [observed(n, generator.gauss(1, 0.03), 0.03) for n in COVERS]
    alone = corrected_by(networks, cost_us=2.0)
    helped = corrected_by(networks, cost_us=2.0, between_nodes_us=between_us)
    if between_us == 2.5:
        assert helped.node_cost_us == pytest.approx(2.0, rel=0.15)
    else:  # 20 us a node cannot be: the networks are heard as before
        assert helped.node_cost_us == pytest.approx(alone.node_cost_us, rel=0.1)


@pytest.mark.parametrize("between_us", [None, 2.5])
def test_a_node_costs_nothing_where_many_entries_show_no_time(between_us: float | None) -> None:
    shown = set(sorted(TRUTH, key=TRUTH.__getitem__)[len(TRUTH) // 3 :])
    entries = {key: units if key in shown else 0.0 for key, units in TRUTH.items()}
    corrected = corrected_by([observed(n) for n in COVERS], entries, between_nodes_us=between_us)
    if between_us is None:
        assert corrected.node_cost_us == 0.0
    assert all(np.isfinite(units) and units >= 0 for units in corrected.latency_units.values())


def test_a_candidate_that_was_profiled_too_slow_is_found_out() -> None:
    wrong = keys_of("k5_e3")
    entries = {key: us * (1.06 if key in wrong else 1.0) for key, us in TRUTH.items()}
    latency_units = corrected_by([observed(n) for n in COVERS + FAMILIES], entries).latency_units
    assert largest_error(latency_units, wrong) < 0.04
    fresh = [random_architecture(SPACE, random.Random(seed)) for seed in range(30)]
    errors = [abs(units(n, latency_units) / units(n, TRUTH) - 1) for n in fresh]
    assert max(errors) < 0.01


def test_what_the_profile_charges_to_the_first_layer_is_found_out() -> None:
    first = SPACE.layers[0]
    wide = {segment_key(SPACE.candidate(first, block), first.input_shape) for block in ("k3_e6", "k5_e6")}
    entries = {key: us * (1.15 if key in wide else 1.0) for key, us in TRUTH.items()}
    latency_units = corrected_by([observed(n) for n in COVERS + FAMILIES], entries).latency_units
    fresh = [random_architecture(SPACE, random.Random(seed)) for seed in range(30)]
    errors = [abs(units(n, latency_units) / units(n, TRUTH) - 1) for n in fresh]
    assert max(errors) < 0.01


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_a_head_that_was_profiled_wrongly_leaves_networks_right(factor: float) -> None:
    head = list(SPACE.segments())[-1].key
    entries = {key: us * (factor if key == head else 1.0) for key, us in TRUTH.items()}
    latency_units = corrected_by([observed(n) for n in COVERS + FAMILIES], entries).latency_units
    fresh = [random_architecture(SPACE, random.Random(seed)) for seed in range(30)]
    errors = [abs(units(n, latency_units) / units(n, TRUTH) - 1) for n in fresh]
    assert max(errors) < 0.01


def test_the_network_of_skips_tells_what_a_run_takes_beside_its_nodes() -> None:
    """A run takes half as much as the nodes of the skips do, and no profile shows it."""
    skips = uniform_architecture(SPACE, "skip")
    run_units = units(skips, TRUTH) / 2

    def measured(network: Architecture) -> Observed:
        return observed(network, 1 + run_units / units(network, TRUTH), 0.01)

    def error(heard: list[Architecture]) -> float:
        networks = [measured(network) for network in heard]
        corrected = corrected_by(networks, cost_us=2.0)
        predicted = corrected.neighbours.network_units(units(skips, corrected.latency_units), skips)
        return predicted / measured(skips).latency_units - 1

    others = [family for family in FAMILIES if family != skips]
    assert error(COVERS + others) < -0.15
    assert abs(error(COVERS + FAMILIES)) < 0.03


def test_what_all_families_have_in_common_leaves_the_level_to_the_covers() -> None:
    networks = [*(observed(n) for n in COVERS), *(observed(n, 0.95) for n in FAMILIES)]
    corrected = corrected_by(networks)
    level = np.mean([units(n, corrected.latency_units) / units(n, TRUTH) for n in COVERS])
    assert level == pytest.approx(1, abs=0.005)
    assert corrected.neighbours.sameness_effect == pytest.approx(-0.05, abs=0.01)


@pytest.mark.parametrize("cost_units", [0.0, 0.01])
def test_what_changes_of_layout_cost_is_found(cost_units: float) -> None:
    def true_units(network: Architecture) -> float:
        return units(network, TRUTH) + cost_units * layout_changes(SPACE, 8).surplus(network.workload())

    noise = np.random.default_rng(0)
    factors = [
        (n, true_units(n) / units(n, TRUTH) * (1 + noise.normal(0, 0.005))) for n in COVERS + FAMILIES
    ]
    corrected = corrected_by([observed(network, factor, 0.005) for network, factor in factors])

    fresh = [random_architecture(SPACE, random.Random(seed)) for seed in range(100)]
    sums = np.array([units(network, corrected.latency_units) for network in fresh])
    predicted = [
        corrected.neighbours.network_units(total, network)
        for total, network in zip(sums, fresh, strict=True)
    ]
    true = np.array([true_units(network) for network in fresh])
    error = np.abs(np.array(predicted) / true - 1).mean()
    assert error < 0.006
    if cost_units:
        assert np.abs(sums / true - 1).mean() > 3 * error


def test_a_network_measured_badly_says_little() -> None:
    networks = [observed(n) for n in COVERS[1:]]
    trusted = corrected_by([*networks, observed(COVERS[0], 1.3)])
    doubted = corrected_by([*networks, observed(COVERS[0], 1.3, error=0.3)])
    assert largest_error(doubted.latency_units) < 0.2 * largest_error(trusted.latency_units)


def test_the_error_of_networks_is_that_of_covers_left_out_beside_their_noise() -> None:
    generator = random.Random(1)

    def sigma(spread: float, error: float) -> float:
        networks = [observed(n, generator.gauss(1, spread), error) for n in COVERS]
        return corrected_by(networks).network_sigma

    assert sigma(0.0, 0.0) < 1.5 * min(USUAL.network_sigmas)
    assert sigma(0.05, 0.0) == pytest.approx(0.05, rel=0.5)
    assert sigma(0.05, 0.05) < 0.035  # what measuring adds is no error of a prediction


@pytest.mark.parametrize(("noise", "shared"), [(0.0, 0.0), (0.004, 0.002), (0.06, 0.02)])
def test_half_of_the_noise_up_to_a_limit_is_what_all_networks_may_be_off_together(
    noise: float, shared: float
) -> None:
    networks = [observed(network, error=noise) for network in COVERS]
    alone = corrected_by(networks, assumptions=Assumptions(shared_part=0.0)).network_sigma
    assert corrected_by(networks).network_sigma ** 2 - alone**2 == pytest.approx(shared**2)
