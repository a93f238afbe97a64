from dataclasses import replace
from itertools import islice

import pytest

from search_server.nas.config import SearchConfig
from search_server.nas.latency_loss import LossName
from search_server.nas.search_warnings import search_warnings
from search_server.nas.theta_step import ThetaStepFacts
from tests.nas.small_search import LATENCY, MIDDLE_US, small_search

STEP = ThetaStepFacts(loss=1.0, accuracy=0.5, cross_entropy_gradient=2.0, latency_gradient=0.01)


@pytest.mark.parametrize(
    ("loss", "knob"), [("fbnet", "raise beta (now 0.6)"), ("additive", "raise latency_weight (now 0.1)")]
)
def test_a_negligible_gradient_of_latency_is_told_with_figures(loss: LossName, knob: str) -> None:
    config = SearchConfig(loss=loss)
    (warning,) = search_warnings(config, LATENCY, MIDDLE_US, [STEP, STEP])
    assert "is 0.50% of that of cross entropy (at least 2% is wanted)" in warning
    assert knob in warning
    assert search_warnings(config, LATENCY, MIDDLE_US, [replace(STEP, latency_gradient=0.04)]) == ()
    assert search_warnings(config, LATENCY, MIDDLE_US, []) == ()


def test_a_target_beyond_the_slowest_network_is_told_and_a_held_one_is_not() -> None:
    config = SearchConfig(target_us=2 * LATENCY.max_us, epochs=1, warmup_epochs=0, theta_paths=2)
    (facts,) = islice(small_search(config), 1)
    assert len(facts.warnings) == 1
    assert "choose a target between" in facts.warnings[0]
    (facts,) = islice(small_search(replace(config, target_us=MIDDLE_US)), 1)
    assert facts.warnings == ()
