from dataclasses import replace

import numpy as np
import pytest

from search_server.latency.estimate.median_polish import ProfileTimes, SegmentTime, profile_times
from shared.protocol.measurement import NodeSamples, Result
from tests.latency.measured_leases import (
    ANCHOR,
    COVERS,
    NODES_PER_SEGMENT,
    PROFILER_COST_US,
    network_us,
    results_of_lease,
    true_segment_us,
)

SOME = dict(list(COVERS.items())[:5])
OTHERS = dict(list(COVERS.items())[5:])


def part(results: list[Result], covers: dict[str, object]) -> list[Result]:
    return [result for result in results if result.item_id in covers]


def profile_of(results: list[Result]) -> ProfileTimes:
    truth = true_segment_us()
    units = {name: network_us(cover, truth) / network_us(ANCHOR, truth) for name, cover in COVERS.items()}
    return profile_times(results, COVERS, units)


def times_of(results: list[Result]) -> dict[str, SegmentTime]:
    return profile_of(results).segments


def spread(segments: dict[str, SegmentTime]) -> float:
    """Return how far the segments lie from their truth, as a share, at whatever level."""
    truth = true_segment_us()
    scales = np.array(
        [(segments[key].wall_us - NODES_PER_SEGMENT * PROFILER_COST_US) / truth[key] for key in truth]
    )
    return float(scales.std() / scales.mean())


def with_run_factors(result: Result, factors: list[float]) -> Result:
    """Return a result whose profiled runs took longer by a factor each."""

    def scaled(node: NodeSamples) -> NodeSamples:
        return replace(node, wall_us=tuple(us * f for us, f in zip(node.wall_us, factors, strict=True)))

    return replace(result, nodes=tuple(map(scaled, result.nodes)))


def test_steady_runs_give_each_segment_its_nodes_together() -> None:
    segments = times_of(results_of_lease("a", rounds=5))
    for key, us in true_segment_us().items():
        assert segments[key].wall_us == pytest.approx(us + NODES_PER_SEGMENT * PROFILER_COST_US, rel=0.01)
        assert segments[key].num_nodes == NODES_PER_SEGMENT
        assert segments[key].num_samples % 5 == 0


def test_a_run_that_was_slower_throughout_counts_at_the_speed_of_the_others() -> None:
    factors = [1.0, 1.3, 1.0, 1.8, 1.1, 1.0]  # the samples alone would differ by 10 % and more
    results = [
        with_run_factors(result, factors) if result.nodes else result
        for result in results_of_lease("a", rounds=6)
    ]
    assert spread(times_of(results)) < 0.03


def test_a_window_in_which_the_device_was_slower_counts_at_the_level_of_the_others() -> None:
    slow = [with_run_factors(result, [1.8] * 20) for result in part(results_of_lease("b"), dict(OTHERS))]
    results = part(results_of_lease("a"), dict(SOME)) + slow
    assert spread(times_of(results)) < 0.02  # 0.3 if windows were taken as they are


def test_a_profile_in_whole_microseconds_is_resolved_finer() -> None:
    generator = np.random.default_rng(0)

    def coarse(result: Result) -> Result:
        levels = generator.uniform(0.9, 1.1, size=20)
        scaled = with_run_factors(result, list(levels))
        return replace(
            scaled, nodes=tuple(replace(n, wall_us=tuple(map(round, n.wall_us))) for n in scaled.nodes)
        )

    results = [coarse(result) if result.nodes else result for result in results_of_lease("a")]
    assert spread(times_of(results)) < 0.03


def with_wall_times(result: Result, between_us: float, num_timed: int) -> Result:
    """Return a result whose last runs were timed as a whole too, with so much between two nodes."""
    totals = [
        sum(node.wall_us[run] for node in result.nodes) for run in range(len(result.nodes[0].wall_us))
    ]
    walls = tuple(total + between_us * len(result.nodes) for total in totals)
    return replace(result, profiled_wall_us=walls[-num_timed:])


def test_what_lies_between_nodes_is_seen_in_runs_that_were_timed_as_a_whole() -> None:
    results = results_of_lease("a", rounds=6)
    assert profile_of(results).between_nodes_us is None
    timed = [with_wall_times(result, 3.0, 5) if result.nodes else result for result in results]
    slow = [
        with_run_factors(result, [1.5] * 6) for result in results_of_lease("b", rounds=6) if result.nodes
    ]
    slow = [with_wall_times(result, 4.5, 5) for result in slow]
    assert profile_of(timed).between_nodes_us == pytest.approx(3.0, rel=0.01)
    assert profile_of(timed + slow).between_nodes_us == pytest.approx(3.0 * 1.25, rel=0.02)


def test_segments_that_are_stamped_whole_tell_nothing_of_a_profiler() -> None:
    def stamped(result: Result) -> Result:
        nodes = tuple(node for node in result.nodes if "/0/" in node.name)
        return with_wall_times(replace(result, nodes=nodes), 50.0, 6)

    results = [stamped(result) if result.nodes else result for result in results_of_lease("a", rounds=6)]
    assert profile_of(results).between_nodes_us is None
