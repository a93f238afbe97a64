import random
from dataclasses import replace

import pytest

from search_server.latency.estimate.fit import fit_table
from search_server.latency.estimate.observations import UnfittableError
from search_server.latency.table import LatencyTable
from search_server.latency.verdict import Verdict
from shared.architecture import random_architecture
from shared.protocol.measurement import Result
from tests.latency.measured_leases import (
    ANCHOR,
    CONDITIONS,
    COVERS,
    SPACE,
    network_us,
    results_of_lease,
    true_segment_us,
)


def fit(results: list[Result]) -> LatencyTable:
    return fit_table(SPACE.name, "device", CONDITIONS, COVERS, "anchor", results, "2026-01-01T00:00:00Z")


def test_without_noise_every_entry_is_found() -> None:
    truth = true_segment_us()
    table = fit(results_of_lease("a") + results_of_lease("b"))
    assert table.anchor_us == pytest.approx(network_us(ANCHOR, truth))
    assert set(table.entries) == set(truth)
    for key, entry in table.entries.items():
        assert entry.latency_units * table.anchor_us == pytest.approx(truth[key], rel=0.05)
    for workload in COVERS.values():
        units = sum(table.entries[key].latency_units for key in workload.segment_keys() if key in truth)
        assert units * table.anchor_us == pytest.approx(network_us(workload, truth), rel=0.02)
    assert table.verdict is not None
    assert table.verdict.is_accepted
    assert table.verdict.cover_scatter < 0.02
    assert table.conditions.runtime_version == "1.0"


def test_with_contention_fresh_networks_are_predicted_within_three_percent() -> None:
    truth = true_segment_us()
    results = [r for i in range(4) for r in results_of_lease(f"l{i}", 1 + i / 20, noise=0.1, seed=i)]
    table = fit(results)
    generator = random.Random(9)
    for _ in range(50):
        network = random_architecture(SPACE, generator)
        units = network_us(network.workload(), truth) / network_us(ANCHOR, truth)
        assert table.predict(network).latency_us / table.anchor_us == pytest.approx(units, rel=0.03)


def test_a_device_that_drifts_between_leases_keeps_its_units() -> None:
    slow = fit(results_of_lease("a", level=1.4) + results_of_lease("b", level=1.4))
    fast = fit(results_of_lease("a") + results_of_lease("b"))
    assert slow.anchor_us == pytest.approx(1.4 * fast.anchor_us)
    for key, entry in slow.entries.items():
        assert entry.latency_units == pytest.approx(fast.entries[key].latency_units, rel=0.03)


def test_too_much_noise_is_refused_with_figures() -> None:
    results = [r for i in range(2) for r in results_of_lease(f"l{i}", noise=3, rounds=4, seed=i)]
    verdict = fit(results).verdict
    assert verdict is not None
    assert not verdict.is_accepted
    assert any("(limit 2.0%)" in reason for reason in verdict.reasons)


def test_a_device_of_two_speeds_keeps_its_ratios_and_says_what_milliseconds_mean() -> None:
    def verdict_of(slow: float) -> Verdict:
        levels = (1.0, slow, slow, slow)
        verdict = fit(
            [r for i, level in enumerate(levels) for r in results_of_lease(f"l{i}", level)]
        ).verdict
        assert verdict is not None
        return verdict

    assert verdict_of(1.1).notes == ()
    restless = verdict_of(1.5)
    assert restless.is_accepted
    assert restless.notes[0].startswith("the device changed its speed: the anchor's median exceeds its")
    assert "by 50%" in restless.notes[0]
    assert "minimum by 140.0% (limit 100.0%)" in verdict_of(2.4).reasons[0]


def test_only_ok_results_feed_a_table() -> None:
    results = [
        replace(r, status="unstable", reason="too hot") if r.item_id == "cover3" else r
        for r in results_of_lease("a")
    ]
    with pytest.raises(UnfittableError, match=r"no usable measurement of cover3 \(unstable: too hot\)"):
        fit(results)


def test_runtime_versions_do_not_mix() -> None:
    newer = [replace(result, runtime_version="2.0") for result in results_of_lease("b")]
    with pytest.raises(UnfittableError, match=r"do not mix: 1\.0, 2\.0"):
        fit(results_of_lease("a") + newer)


def test_results_without_node_times_are_refused() -> None:
    with pytest.raises(UnfittableError, match="no node times"):
        fit([replace(result, nodes=()) for result in results_of_lease("a")])


def test_a_profile_that_shows_no_time_is_refused() -> None:
    instant = [
        replace(result, nodes=tuple(replace(n, wall_us=(0.0,) * len(n.wall_us)) for n in result.nodes))
        for result in results_of_lease("a")
    ]
    with pytest.raises(UnfittableError, match="no time at all in a whole network"):
        fit(instant)


def test_a_single_window_is_no_table() -> None:
    with pytest.raises(UnfittableError, match="one window alone"):
        fit(results_of_lease("a"))


def test_entries_differ_between_halves_as_their_windows_do() -> None:
    def verdict_of(noise: float) -> Verdict:
        results = [r for i in range(4) for r in results_of_lease(f"l{i}", noise=noise, rounds=8, seed=i)]
        verdict = fit(results).verdict
        assert verdict is not None
        return verdict

    assert verdict_of(0.0).repeat_p95 == pytest.approx(0, abs=1e-6)
    assert 0 < verdict_of(0.05).repeat_median < verdict_of(0.5).repeat_median


def test_what_takes_turns_from_window_to_window_sets_no_halves_apart() -> None:
    def repeat(seeds: tuple[int, ...]) -> float:
        leases = [results_of_lease(f"l{i}", noise=0.5, rounds=8, seed=seed) for i, seed in enumerate(seeds)]
        verdict = fit([result for lease in leases for result in lease]).verdict
        assert verdict is not None
        return verdict.repeat_p95

    assert repeat((0, 1, 0, 1)) == pytest.approx(0, abs=1e-6)
    assert repeat((0, 1, 1, 0)) > 0.01


def test_a_cover_without_a_profile_adds_nothing_to_the_entries() -> None:
    results = results_of_lease("a") + results_of_lease("b")
    again = {f"again_{name}": workload for name, workload in COVERS.items()}
    plain = [
        replace(r, item_id=f"again_{r.item_id}", nodes=())
        for r in results_of_lease("a")
        if r.item_id != "anchor"
    ]
    table = fit_table(
        SPACE.name, "device", CONDITIONS, COVERS | again, "anchor", results + plain, "2026-01-01T00:00:00Z"
    )
    assert table.entries == fit(results).entries
