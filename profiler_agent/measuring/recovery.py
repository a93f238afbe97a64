"""Rounds go on only while the device keeps its pace: watch the canary, pause, warm up again.

A device that got hot lowers its clock. The rounds of a lease then stop for a while, and if the canary
stays slow for as long as the lease may pause, the lease ends without numbers. After any time without
runs, a pause or one that the system's scheduler made, the clock has dropped, so models run untimed first.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from profiler_agent.measuring.canary import canary_us, typical_us

MAX_SLOWDOWN = 1.10
"""Canary over its best, above which nothing is measured."""

CHECK_INTERVAL_S = 0.5
FIRST_PAUSE_S = 0.5
"""Each further pause of a lease is twice as long as the one before."""

IDLE_S = 0.2
"""So long without running anything lets clocks drop."""


@dataclass(slots=True)
class Pace:
    """Watches over the rounds of one lease."""

    reference_us: float | None
    """The canary's best time so far under these conditions; None judges the lease by itself."""
    max_pause_s: float
    """How long the lease may pause in all."""
    pause: Callable[[float], None]
    """Lets so many seconds pass: at rest, or under load where a hot device is wanted."""
    warm_up: Callable[[], None]
    """Runs models untimed until the clock is up again."""
    sense_us: Callable[[], float] = canary_us
    now_s: Callable[[], float] = time.perf_counter
    checks_us: list[float] = field(default_factory=list)
    """The canary's times, those that led to a pause left out."""
    paused_s: float = 0.0
    slowdown: float = 1.0
    """Canary over its best at the last check."""
    is_lost: bool = False
    """The device stayed slow for as long as the lease might pause."""
    _checked_s: float = float("-inf")
    _ran_s: float | None = None

    def is_kept(self) -> bool:
        """Return whether the device is as fast as it was, after pauses if need be."""
        if self.now_s() - self._checked_s < CHECK_INTERVAL_S:
            return True
        pause_s = FIRST_PAUSE_S
        while not self._is_fast():
            if self.paused_s + pause_s > self.max_pause_s:
                self.is_lost = True
                return False
            start_s = self.now_s()
            self.pause(pause_s)
            self.warm_up()
            self._ran_s = self.now_s()
            self.paused_s += self._ran_s - start_s
            pause_s *= 2
        self._checked_s = self.now_s()
        return True

    def resume(self) -> None:
        """Warm up again if nothing ran for a while; call right before a run."""
        if self._ran_s is not None and self.now_s() - self._ran_s > IDLE_S:
            self.warm_up()

    def note_run(self, stalled_us: float) -> None:
        """Note that something ran, and for how long it was stopped in the middle of it."""
        self._ran_s = float("-inf") if stalled_us > IDLE_S * 1e6 else self.now_s()

    def _is_fast(self) -> bool:
        check_us = self.sense_us()
        best_us = min(
            self.reference_us or float("inf"), typical_us([*self.checks_us, check_us]) or check_us
        )
        self.slowdown = check_us / best_us
        if self.slowdown <= MAX_SLOWDOWN:
            self.checks_us.append(check_us)
        return self.slowdown <= MAX_SLOWDOWN
