from dataclasses import replace

import numpy as np
import pytest

from search_server.latency.fit import relative_latencies
from search_server.latency.node_times import node_times, odd_even_differences, segment_times
from shared.measurement import Result
from tests.latency.measured_leases import COVERS, PROFILER_COST_US, results_of_lease, true_segment_us

SOME = {name: COVERS[name] for name in list(COVERS)[:5]}
OTHERS = {name: COVERS[name] for name in list(COVERS)[5:]}


def part(results: list[Result], covers: dict[str, object]) -> list[Result]:
    return [result for result in results if result.item_id == "anchor" or result.item_id in covers]


def test_a_window_in_which_the_device_was_slower_counts_at_the_level_of_the_others() -> None:
    results = part(results_of_lease("a"), dict(SOME)) + part(results_of_lease("b", level=1.8), dict(OTHERS))
    ratios = {name: one.ratio for name, one in relative_latencies(results, "anchor").items()}
    entries_us = segment_times(COVERS, node_times(results, COVERS, ratios), PROFILER_COST_US)[0]
    truth = true_segment_us()
    scales = np.array([entries_us[key] / us for key, us in truth.items()])
    assert scales.std() / scales.mean() < 0.06  # 0.3 if windows were taken as they are


def test_a_lease_alone_is_judged_by_its_odd_and_even_rounds() -> None:
    results = results_of_lease("a", rounds=6)
    shifted = [
        replace(
            result,
            nodes=tuple(
                replace(n, wall_us=tuple(us * (1.1 if i % 2 else 1.0) for i, us in enumerate(n.wall_us)))
                for n in result.nodes[:3]
            )
            + result.nodes[3:],
        )
        for result in results
    ]
    ratios = {name: one.ratio for name, one in relative_latencies(results, "anchor").items()}
    steady = odd_even_differences(COVERS, node_times(results, COVERS, ratios), 0.0, min_share=0.0)
    restless = odd_even_differences(COVERS, node_times(shifted, COVERS, ratios), 0.0, min_share=0.0)
    assert np.abs(steady).max() == pytest.approx(0, abs=1e-9)
    assert np.abs(restless).max() > 0.05
