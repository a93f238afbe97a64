"""Whole networks against the anchor runs around them."""

import random
from dataclasses import replace

import pytest

from search_server.latency.estimate.relative import RelativeLatency, relative_latencies
from shared.protocol.measurement import Result, RunSamples
from tests.latency.measured_leases import ANCHOR, COVERS, network_us, results_of_lease, true_segment_us


def lease(anchor_us: list[float], runs_us: dict[str, list[float]], lease_id: str = "a") -> list[Result]:
    """Return a lease in which item after item ran, each right after the anchor."""
    starts: dict[str, list[float]] = {name: [] for name in ("anchor", *runs_us)}
    clock_us, turn = 0.0, 0
    for index in range(len(next(iter(runs_us.values())))):
        for name, wall_us in runs_us.items():
            starts["anchor"].append(clock_us)
            clock_us += anchor_us[turn]
            starts[name].append(clock_us)
            clock_us += wall_us[index]
            turn += 1
    return [
        Result(lease_id, 1, name, "ok", runs=RunSamples(start_us=tuple(starts[name]), wall_us=tuple(us)))
        for name, us in {"anchor": anchor_us, **runs_us}.items()
    ]


def measured(anchor_us: list[float], runs_us: list[float]) -> RelativeLatency:
    return relative_latencies(lease(anchor_us, {"net": runs_us}), "anchor")["net"]


def test_steady_runs_are_exact() -> None:
    relative = relative_latencies(results_of_lease("a"), "anchor")
    truth = true_segment_us()
    for cover, workload in COVERS.items():
        expected = network_us(workload, truth) / network_us(ANCHOR, truth)
        assert relative[cover].ratio == pytest.approx(expected)
        assert relative[cover].relative_error == pytest.approx(0, abs=1e-12)
        assert relative[cover].num_samples == 20


def test_a_device_that_changes_its_speed_keeps_its_ratios() -> None:
    levels = [100.0] * 10 + [180.0] * 10
    relative = measured(levels, [0.7 * level for level in levels])
    assert relative.ratio == pytest.approx(0.7)


def test_one_slow_anchor_run_does_not_count() -> None:
    anchor_us = [100.0] * 20
    anchor_us[7] = 900.0
    assert measured(anchor_us, [70.0] * 20).ratio == pytest.approx(0.7)


def test_a_run_is_measured_by_the_anchors_of_the_four_turns_around_it() -> None:
    levels = [100.0, 100.0, 200.0, 200.0, 200.0, 200.0]
    turns = [turn for turn in range(6) for _ in range(3)]
    anchor = RunSamples(
        start_us=tuple(map(float, range(18))),
        wall_us=tuple(levels[turn] for turn in turns),
        turn_index=tuple(turns),
    )
    net = RunSamples(start_us=(10.5, 11.5), wall_us=(70.0, 70.0), turn_index=(3, 3))
    results = [Result("a", 1, name, "ok", runs=runs) for name, runs in (("anchor", anchor), ("net", net))]
    assert relative_latencies(results, "anchor")["net"].ratio == pytest.approx(0.35)
    early = [results[0], replace(results[1], runs=replace(net, turn_index=(1, 1)))]
    assert relative_latencies(early, "anchor")["net"].ratio == pytest.approx(70 / 150)


def test_how_restless_a_lease_was_is_told_by_all_of_its_networks() -> None:
    generator = random.Random(0)
    runs_us = {f"net{i}": [70 * generator.gauss(1, 0.05) for _ in range(4)] for i in range(60)}
    relative = relative_latencies(lease([100.0] * 240, runs_us), "anchor")
    errors = [one.relative_error for one in relative.values()]
    assert max(errors) / min(errors) < 1.1  # four runs of its own would leave that to chance
    assert sum(errors) / len(errors) == pytest.approx(1.25 * 0.05 / 4**0.5, rel=0.2)


def test_leases_that_disagree_widen_the_interval() -> None:
    both = lease([100.0] * 8, {"net": [70.0] * 8}) + lease([100.0] * 8, {"net": [77.0] * 8}, "b")
    relative = relative_latencies(both, "anchor")["net"]
    assert relative.lease_ratios == pytest.approx((0.7, 0.77))
    assert relative.relative_error > 0.03


def test_networks_of_several_leases_tell_what_a_process_adds_to_all() -> None:
    generator = random.Random(1)

    def leases(lease_id: str, names: list[str]) -> list[Result]:
        """Return a lease whose networks each are off by 3 % as long as it lasts."""
        factors = {name: generator.gauss(1, 0.03) for name in names}
        return lease([100.0] * 8 * len(names), {n: [70 * f] * 8 for n, f in factors.items()}, lease_id)

    repeated = [f"repeated{i}" for i in range(60)]
    results = leases("a", [*repeated, "once"]) + leases("b", repeated)
    relative = relative_latencies(results, "anchor")
    assert relative["once"].relative_error == pytest.approx(0.03, rel=0.2)
    assert relative["repeated0"].relative_error == pytest.approx(0.03 / 2**0.5, rel=0.2)
    alone = relative_latencies(leases("a", ["once"]), "anchor")["once"]
    assert alone.relative_error == pytest.approx(0, abs=1e-12)  # nothing tells


def test_what_runs_explain_is_not_counted_as_the_process_as_well() -> None:
    generator = random.Random(2)
    names = [f"net{i}" for i in range(60)]

    def noisy(lease_id: str) -> list[Result]:
        runs_us = {name: [70 * generator.gauss(1, 0.05) for _ in range(16)] for name in names}
        return lease([100.0] * 16 * len(names), runs_us, lease_id)

    errors = [one.relative_error for one in relative_latencies(noisy("a") + noisy("b"), "anchor").values()]
    assert sum(errors) / len(errors) == pytest.approx(1.25 * 0.05 / 32**0.5, rel=0.25)
