"""When a profile goes on, when it ends, and whether looking often lets bad tables through."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from search_server.latency.estimate.fit import MAX_REPEAT_MEDIAN, MAX_REPEAT_P95
from search_server.latency.verdict import Verdict
from search_server.profiling.conclude_profile import (
    Fitted,
    MeasureOn,
    conclude_profile,
    describe,
    is_hopeless,
    outlook,
    refusal,
    windows_needed,
)
from search_server.profiling.evidence import Evidence, Failed, Window
from search_server.profiling.plan import MAX_LOST_WINDOWS, MAX_PROFILE_LEASES, MIN_PROFILE_LEASES
from shared.protocol.measurement import LeaseItem, Status
from tests.latency.measured_leases import ANCHOR, CONDITIONS, COVERS, SPACE, results_of_lease

NOW = datetime(2026, 11, 25, tzinfo=UTC)
ITEMS = (
    LeaseItem("anchor", ANCHOR, is_anchor=True),
    *(LeaseItem(cover, workload, profile_segments=True) for cover, workload in COVERS.items()),
)
MET = Verdict(True, (), 0.01, 0.01, 0.03, 0.01, 1.02)


def windows(count: int, noise: float = 0.05, rounds: int = 8) -> list[Window]:
    return [
        tuple(replace(r, device_s=6.0) for r in results_of_lease(f"l{i}", 1.0, noise, rounds, i))
        for i in range(count)
    ]


def lost(count: int, status: Status = "throttled") -> list[Window]:
    return [
        tuple(replace(r, status=status, reason="too slow") for r in window) for window in windows(count)
    ]


def evidence(own: list[Window], kept: list[Window] | None = None) -> Evidence:
    leases = tuple((0, window) for window in own)
    return Evidence(SPACE.name, "device", CONDITIONS, ITEMS, leases, tuple(kept or ()))


def test_a_quiet_device_takes_the_fewest_windows() -> None:
    for count in range(1, MIN_PROFILE_LEASES):
        conclusion = conclude_profile(evidence(windows(count)), NOW)
        assert isinstance(conclusion, MeasureOn)
        assert conclusion.outlook.num_more == MIN_PROFILE_LEASES - count
    conclusion = conclude_profile(evidence(windows(MIN_PROFILE_LEASES)), NOW)
    assert isinstance(conclusion, Fitted)
    assert conclusion.table.is_accepted


def test_kept_windows_count() -> None:
    both = windows(MIN_PROFILE_LEASES)
    assert isinstance(conclude_profile(evidence(both[2:], kept=both[:2]), NOW), Fitted)


def test_a_hopeless_profile_ends_early_with_the_figures() -> None:
    facts = evidence(windows(MIN_PROFILE_LEASES, noise=5.0, rounds=4))
    conclusion = conclude_profile(facts, NOW)
    assert isinstance(conclusion, Fitted)
    assert not conclusion.table.is_accepted
    text = refusal(conclusion.table, facts)
    assert "(limit 2.0%)" in text
    assert f"the most are {MAX_PROFILE_LEASES}" in text


def test_only_the_median_is_trusted_to_be_hopeless() -> None:
    disturbed = replace(MET, repeat_median=0.021, repeat_p95=0.142)
    assert windows_needed(disturbed, 6) == 34
    assert not is_hopeless(disturbed, 6)
    assert is_hopeless(replace(MET, repeat_median=0.041), 6)


def test_windows_without_numbers_end_a_profile() -> None:
    one_more = conclude_profile(evidence(windows(1) + lost(MAX_LOST_WINDOWS - 1)), NOW)
    assert isinstance(one_more, MeasureOn)
    assert one_more.outlook.num_lost == MAX_LOST_WINDOWS - 1
    conclusion = conclude_profile(evidence(windows(1) + lost(MAX_LOST_WINDOWS)), NOW)
    assert isinstance(conclusion, Failed)
    assert f"{MAX_LOST_WINDOWS} of {MAX_LOST_WINDOWS + 1} windows gave no numbers" in conclusion.message
    assert "throttled: too slow" in conclusion.message


def test_lost_windows_and_remarks_are_noted_in_the_table() -> None:
    remarked = [
        tuple(replace(r, reason="cores 2 were asked for, ...") for r in window)
        for window in windows(MIN_PROFILE_LEASES)
    ]
    conclusion = conclude_profile(evidence(lost(1) + remarked), NOW)
    assert isinstance(conclusion, Fitted)
    verdict = conclusion.table.verdict
    assert verdict is not None
    assert verdict.notes == (
        f"1 of {MIN_PROFILE_LEASES + 1} windows gave no numbers: throttled: too slow",
        "cores 2 were asked for, ...",
    )


@pytest.mark.parametrize(
    ("repeat_median", "repeat_p95", "needed"),
    [(0.01, 0.03, 4), (0.02, 0.06, 4), (0.03, 0.06, 9), (0.01, 0.12, 16)],
)
def test_repeatability_falls_with_the_root_of_the_windows(
    repeat_median: float, repeat_p95: float, needed: int
) -> None:
    verdict = replace(MET, repeat_median=repeat_median, repeat_p95=repeat_p95)
    assert windows_needed(verdict, 4) == needed


def test_the_outlook_says_how_far_it_is() -> None:
    facts = evidence([*windows(3), *lost(1)], kept=windows(1))
    view = outlook(facts, replace(MET, repeat_median=0.026, repeat_p95=0.06))
    assert (view.num_windows, view.num_lost, view.num_more) == (4, 1, 3)
    assert view.time_left_s == 18.0
    text = "4 windows measured (1 by the profile before), 1 lost, repeat 2.6 % of 2.0 %, about 18 s more"
    assert describe(view) == text
    first = outlook(evidence(windows(1)), None)
    assert describe(first) == f"1 window measured, about {6 * (MIN_PROFILE_LEASES - 1)} s more"


def passing_share(excess: float, looks: range) -> float:
    """Return how many of 1000 tables pass a look whose figures would end so far above the limits."""
    generator = np.random.default_rng(0)
    num_tables, num_entries, most = 1000, 104, looks[-1]
    sigma = excess * MAX_REPEAT_MEDIAN * np.sqrt(most) / (2 * 0.6745)
    has_passed = np.zeros(num_tables, bool)
    window = generator.normal(0, sigma, (most, num_tables, num_entries))
    for count in looks:
        halves = [window[parity:count:2].mean(axis=0) for parity in (0, 1)]
        difference = np.abs(halves[0] - halves[1])
        is_good = np.median(difference, axis=1) <= MAX_REPEAT_MEDIAN
        has_passed |= is_good & (np.quantile(difference, 0.95, axis=1) <= MAX_REPEAT_P95)
    return float(has_passed.mean())


def test_looking_after_every_window_hardly_helps_luck() -> None:
    often = range(MIN_PROFILE_LEASES, MAX_PROFILE_LEASES + 1)
    once = range(MAX_PROFILE_LEASES, MAX_PROFILE_LEASES + 1)
    assert passing_share(1.1, often) < passing_share(1.1, once) + 0.03 < 0.16
    assert passing_share(1.2, often) < 0.03
