from dataclasses import replace

import pytest

from search_server.nas.budget.caps import ExpectedCost
from search_server.nas.theta.search_warnings import search_warnings
from search_server.nas.theta.theta_step import ThetaStepFacts
from search_server.search_options import LossName, SearchOptions
from tests.nas.small_search import MIDDLE_MS, small_search

STEP = ThetaStepFacts(loss=1.0, accuracy=0.5, cross_entropy_gradient=2.0, latency_gradient=0.01)


@pytest.mark.parametrize(
    ("loss", "knob"), [("fbnet", "raise beta (now 0.6)"), ("additive", "raise latency_weight (now 0.1)")]
)
def test_a_negligible_gradient_of_latency_is_told_with_figures(loss: LossName, knob: str) -> None:
    options = SearchOptions(loss=loss)
    (warning,) = search_warnings(options, (), [STEP, STEP])
    assert "is 0.50% of that of cross entropy (at least 2% is wanted)" in warning
    assert knob in warning
    assert search_warnings(options, (), [replace(STEP, latency_gradient=0.04)]) == ()
    assert search_warnings(options, (), []) == ()


def test_a_limit_that_theta_does_not_hold_is_told_and_a_held_one_is_not() -> None:
    options = SearchOptions(target_ms=MIDDLE_MS)
    latency, macs = ExpectedCost("pixel", "us", 20_400.0, 20_000.0), ExpectedCost("MACs", "MACs", 9e6, 1e7)
    (warning,) = search_warnings(options, [latency, macs], [STEP])
    assert warning == "E[cost] of pixel is 20.4 ms, the limit 20 ms: theta does not hold it"
    assert search_warnings(options, [replace(latency, expected=20_000.0), macs], [STEP]) == ()
    assert len(search_warnings(options, [replace(latency, expected=10_000.0), macs], [STEP])) == 2


def test_the_warning_of_a_search_comes_with_its_facts() -> None:
    options = SearchOptions(loss="fbnet", beta=1e-6, epochs=1, warmup_epochs=0, theta_paths=2)
    (facts,) = small_search(options)
    (warning,) = facts.warnings
    assert "latency hardly bears on theta" in warning
    assert facts.peak_memory_bytes > 1e7
