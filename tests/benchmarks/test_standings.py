"""Intervals against figures worked out by hand."""

import math

import pytest

from benchmarks.standings import difference, mean_with_interval


def test_an_interval_is_student_s() -> None:
    # Deviation 1, three values: 4.3027 (t at 97.5 %, two degrees of freedom) / sqrt(3).
    assert mean_with_interval([1.0, 2.0, 3.0]) == pytest.approx(
        {"mean": 2.0, "plus_minus": 2.4841}, rel=1e-4
    )
    assert math.isnan(mean_with_interval([1.0])["plus_minus"])


def test_a_difference_has_an_interval_around_it() -> None:
    # Equal deviations 1 of three values each: four degrees of freedom, t = 2.7764, error sqrt(2 / 3).
    found = difference([2.0, 3.0, 4.0], [1.0, 2.0, 3.0])
    assert found == pytest.approx({"mean": 1.0, "low": 1 - 2.2669, "high": 1 + 2.2669}, abs=1e-4)
    assert difference([2.0], [1.0, 2.0]) == {"mean": 0.5, "low": None, "high": None}
