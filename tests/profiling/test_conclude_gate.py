"""The gate's rule, on windows that are drawn from a known truth."""

import math
import random
import statistics

import pytest

from search_server.profiling.conclude_gate import (
    LOOKS,
    GateOn,
    conclude_gate,
    outcome_of,
    ratio_bounds,
    window_log_ratio,
)
from search_server.profiling.evidence import Evidence, Failed, Window
from search_server.profiling.plan import ANCHOR_ID
from search_server.resources.gates import GateVerdict
from shared.protocol.device import Conditions
from shared.protocol.measurement import Result
from tests.profiling.test_conclude_model import runs


def window(index: int, ratio: float, slowdown: float = 1.0) -> Window:
    old = Result(f"lease{index}", 1, ANCHOR_ID, "ok", runs=runs(500 * slowdown))
    copies = (
        Result(f"lease{index}", 1, f"new{copy}", "ok", runs=runs(500 * slowdown * ratio * factor))
        for copy, factor in enumerate((0.99, 1.0, 1 / 0.99))
    )
    return old, *copies


def evidence(*windows: Window) -> Evidence:
    return Evidence("fbnet-tiny", "device", Conditions(), (), tuple((0, each) for each in windows))


def test_a_window_tells_the_geometric_mean_of_its_copies_whatever_the_load() -> None:
    for slowdown in (1.0, 1.7):
        log = window_log_ratio(window(0, 1.03, slowdown))
        assert log == pytest.approx(math.log(1.03))


def test_bounds_are_students_t() -> None:
    # scipy.stats.t.ppf(0.99, 3) = 4.5407; mean 0.02, standard deviation 0.01, four windows
    logs = [0.02 + 0.01 * d for d in (-math.sqrt(1.5), 0, 0, math.sqrt(1.5))]
    assert statistics.stdev(logs) == pytest.approx(0.01)
    ratio, low, high = ratio_bounds(logs)
    assert math.log(ratio) == pytest.approx(0.02)
    assert math.log(low) == pytest.approx(0.02 - 4.5407 * 0.005, abs=1e-5)
    assert math.log(high) == pytest.approx(0.02 + 4.5407 * 0.005, abs=1e-5)


def test_the_limit_lies_on_one_side_of_both_bounds_or_nothing_is_decided() -> None:
    assert outcome_of(1.021, 1.05, 0.02) == "slower"
    assert outcome_of(0.99, 1.019, 0.02) == "passed"
    assert outcome_of(1.01, 1.03, 0.02) == "undecided"


@pytest.mark.parametrize(("ratio", "outcome"), [(1.05, "slower"), (1.0, "passed"), (0.9, "passed")])
def test_what_is_clear_is_decided_at_the_first_look(ratio: float, outcome: str) -> None:
    windows = [window(i, ratio * (1 + 0.001 * (-1) ** i)) for i in range(LOOKS[0])]
    verdict = conclude_gate(evidence(*windows), 0.02)
    assert isinstance(verdict, GateVerdict)
    assert verdict.outcome == outcome
    assert verdict.ratio == pytest.approx(ratio, rel=1e-4)
    assert verdict.old_us == pytest.approx(500)


def test_what_is_unclear_is_measured_on_until_the_last_look() -> None:
    windows = [window(i, 1.02 * (1 + 0.02 * (-1) ** i)) for i in range(LOOKS[-1])]
    assert conclude_gate(evidence(*windows[: LOOKS[0]]), 0.02) == GateOn(LOOKS[1])
    last = conclude_gate(evidence(*windows), 0.02)
    assert isinstance(last, GateVerdict)
    assert last.outcome == "undecided"


def test_windows_without_numbers_end_in_their_reasons() -> None:
    lost = tuple(
        Result("lease", 1, item_id, "unsupported", "no such operator") for item_id in (ANCHOR_ID, "new0")
    )
    failed = conclude_gate(evidence(*[lost] * LOOKS[0]), 0.02)
    assert isinstance(failed, Failed)
    assert "no such operator" in failed.message


def test_at_the_limit_itself_at_most_one_gate_in_twenty_is_wrong() -> None:
    generator = random.Random(3)
    num_slower = num_found = 0
    for _ in range(400):
        for is_slower in (False, True):
            logs = [generator.gauss(math.log(1.04 if is_slower else 1.02), 0.008) for _ in range(LOOKS[-1])]
            outcomes = (outcome_of(*ratio_bounds(logs[:look])[1:], 0.02) for look in LOOKS)
            outcome = next((each for each in outcomes if each != "undecided"), "undecided")
            num_slower += outcome == "slower" and not is_slower
            num_found += outcome == "slower" and is_slower
    assert num_slower <= 0.05 * 400
    assert num_found >= 0.95 * 400
