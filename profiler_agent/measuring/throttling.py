"""The rounds of a lease stop while the device is slower than it can be.

A device that got hot lowers its clock. Ratios to the anchor hide that, milliseconds do not, so a lease
pauses when the canary (``canary.py``) takes too long. If it takes too long for as long as the lease may
pause, the lease ends without numbers. The clock also drops while nothing runs, in a pause or because the
scheduler gave the core away; models then run untimed before the next timed run.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from profiler_agent.measuring.canary import canary_us, usual_us

MAX_SLOWDOWN = 1.10
"""Canary over its best, above which nothing is measured."""

CHECK_INTERVAL_S = 0.5
FIRST_PAUSE_S = 0.5
"""Each further pause of a lease is twice as long as the one before."""

IDLE_S = 0.2
"""So long without running anything lets clocks drop."""


@dataclass(slots=True)
class ThrottlingWatch:
    """Pauses the rounds of one lease while its device is slow."""

    reference_us: float | None
    """The canary's best time so far under these conditions; None judges the lease by itself."""
    max_pause_s: float
    """How long the pauses of the lease may take together."""
    pause: Callable[[float], None]
    """Lets so many seconds pass: at rest, or under load where a hot device is wanted."""
    warm_up: Callable[[], None]
    """Runs models untimed until the clock is up again."""
    sense_us: Callable[[], float] = canary_us
    now_s: Callable[[], float] = time.perf_counter
    accepts_slow: bool = False
    """Measure a slow device as it is, without pauses."""
    checks_us: list[float] = field(default_factory=list)
    """The canary's times, those that led to a pause left out."""
    paused_s: float = 0.0
    slowdown: float = 1.0
    """Canary over its best at the last check."""
    worst_slowdown: float = 1.0
    """... and at the worst one."""
    gave_up: bool = False
    """The device stayed slow for as long as the lease might pause."""
    _checked_s: float = float("-inf")
    _ran_s: float | None = None

    def wait_until_fast(self) -> bool:
        """Pause until the device is as fast as it was; return False if it takes too long."""
        if self.now_s() - self._checked_s < CHECK_INTERVAL_S:
            return True
        pause_s = FIRST_PAUSE_S
        while not self._is_fast() and not self.accepts_slow:
            if self.paused_s + pause_s > self.max_pause_s:
                self.gave_up = True
                return False
            start_s = self.now_s()
            self.pause(pause_s)
            self.warm_up()
            self._ran_s = self.now_s()
            self.paused_s += self._ran_s - start_s
            pause_s *= 2
        self._checked_s = self.now_s()
        return True

    def warm_up_if_idle(self) -> None:
        """Warm up again if nothing ran for a while; call right before a run."""
        if self._ran_s is not None and self.now_s() - self._ran_s > IDLE_S:
            self.warm_up()

    def note_run(self, stalled_us: float) -> None:
        """Note that something ran, and for how long it was stopped in the middle of it."""
        self._ran_s = float("-inf") if stalled_us > IDLE_S * 1e6 else self.now_s()

    def _is_fast(self) -> bool:
        check_us = self.sense_us()
        best_us = min(self.reference_us or float("inf"), usual_us([*self.checks_us, check_us]) or check_us)
        self.slowdown = check_us / best_us
        self.worst_slowdown = max(self.worst_slowdown, self.slowdown)
        if self.slowdown <= MAX_SLOWDOWN or self.accepts_slow:
            self.checks_us.append(check_us)
        return self.slowdown <= MAX_SLOWDOWN
