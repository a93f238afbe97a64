"""Is a new model slower than an old one by more than a limit? Pure.

In each window both models take turns in one process: the old one right before each of three copies of the
new one. A window's ratio is the geometric mean over the copies of the median of new over old. Windows, each
a process of its own, are what differs by chance, so Student's t over their logarithms gives the bounds. The
evidence is looked at up to five times, after 6, 9, 12, 15 and 18 windows; each look has a fifth of the 5 %
by which the gate may err, so that looking again and again makes no false alarm likelier.

- ``slower``: the lower bound lies above the limit.
- ``passed``: the upper bound lies below the limit.
- ``undecided``: neither after 18 windows. The truth is near the limit, or the device too restless.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from search_server.latency.estimate.relative import relative_latencies
from search_server.profiling.evidence import (
    Evidence,
    Failed,
    Window,
    accepted_noise,
    reasons_of,
    remedy_of,
)
from search_server.profiling.plan import ANCHOR_ID
from search_server.resources.gates import GateOutcome, GateVerdict

LOOKS = (6, 9, 12, 15, 18)
"""After so many windows the evidence is looked at; the last is the most that a gate takes."""
NUM_COPIES = 3
"""Of the new model in a window; the old one, which is the anchor there, has as many."""
MIN_GOOD_WINDOWS = 4
"""Fewer say too little of how windows scatter."""

_T_99 = (31.82, 6.965, 4.541, 3.747, 3.365, 3.143, 2.998, 2.896, 2.821, 2.764, 2.718, 2.681, 2.650, 2.624)
_T_99_MORE = (2.602, 2.583, 2.567)
"""Student's t that 1 % exceed, by degrees of freedom from 1 on; 1 % is a fifth of 5 %."""


@dataclass(frozen=True, slots=True)
class GateOn:
    """More windows are needed; so many will be there at the next look."""

    num_windows: int


def conclude_gate(evidence: Evidence, fail_above: float) -> GateVerdict | GateOn | Failed:
    """Return whether the new model is slower, or how many windows are needed to tell.

    Args:
        evidence: the results of all windows so far.
        fail_above: how much slower it may be: 0.02 is 2 %.
    """
    windows = [window for _, window in evidence.leases]
    logs = [log for window in windows if (log := window_log_ratio(window)) is not None]
    more = next((look for look in LOOKS if look > len(windows)), None)
    if len(logs) < MIN_GOOD_WINDOWS:
        if more is not None and logs:
            return GateOn(more)
        results = [result for window in windows for result in window]
        return Failed(
            f"{len(logs)} of {len(windows)} windows gave numbers, a gate takes {MIN_GOOD_WINDOWS}: "
            f"{reasons_of(results)}{remedy_of(results)}"
        )
    ratio, low, high = ratio_bounds(logs)
    outcome = outcome_of(low, high, fail_above)
    if outcome == "undecided" and more is not None:
        return GateOn(more)
    return GateVerdict(
        outcome=outcome,
        ratio=ratio,
        low=low,
        high=high,
        window_ratios=tuple(math.exp(log) for log in logs),
        old_us=_median_us(windows, is_old=True),
        new_us=_median_us(windows, is_old=False),
        note=accepted_noise(windows),
    )


def window_log_ratio(window: Window) -> float | None:
    """Return the logarithm of new over old in one window; None if it gave no numbers."""
    relative = relative_latencies(window, ANCHOR_ID)
    return statistics.fmean(math.log(one.ratio) for one in relative.values()) if relative else None


def ratio_bounds(logs: Sequence[float]) -> tuple[float, float, float]:
    """Return the ratio of two models with its lower and upper bound, from two windows or more."""
    mean = statistics.fmean(logs)
    error = statistics.stdev(logs) / math.sqrt(len(logs))
    half_width = (*_T_99, *_T_99_MORE)[len(logs) - 2] * error
    return math.exp(mean), math.exp(mean - half_width), math.exp(mean + half_width)


def outcome_of(low: float, high: float, fail_above: float) -> GateOutcome:
    """Return what bounds say about a limit."""
    if low > 1 + fail_above:
        return "slower"
    return "passed" if high < 1 + fail_above else "undecided"


def _median_us(windows: Sequence[Window], *, is_old: bool) -> float:
    return statistics.median(
        us
        for window in windows
        for result in window
        if result.status == "ok" and (result.item_id == ANCHOR_ID) == is_old
        for us in result.runs.wall_us
    )
