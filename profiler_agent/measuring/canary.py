"""The canary is a small fixed piece of work whose time tells how fast the core is at this moment.

Hashing a block that fits into any first-level cache takes the same number of cycles each time, pushes no
model out of the caches and needs no package. Its CPU time leaves out the time in which other programs
had the core: a busy neighbour hardly shows in it, a lower clock or a slower core does.
"""

import hashlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.protocol.measurement import Result

_BLOCK = bytes(16 * 1024)
_BLOCKS_PER_PASS = 4
_PASSES = 5

REMEMBERED_S = 3600.0
"""A reference older than this is forgotten: the device may have changed for good."""


def canary_us() -> float:
    """Return the CPU time of the fastest of a few passes, microseconds; takes well below a millisecond."""
    fastest_ns: float = float("inf")
    for _ in range(_PASSES):
        start_ns = time.thread_time_ns()
        for _ in range(_BLOCKS_PER_PASS):
            hashlib.sha256(_BLOCK)
        fastest_ns = min(fastest_ns, time.thread_time_ns() - start_ns)
    return fastest_ns / 1000


def usual_us(checks_us: list[float]) -> float | None:
    """Return the canary's usual time in a lease: the median, which a moment of boost does not move."""
    return statistics.median(checks_us) if checks_us else None


@dataclass(slots=True)
class CanaryMemory:
    """The canary's best time under each set of conditions, as an agent remembers it for an hour.

    A lease that was throttled although nothing was hot clears the memory of its conditions: if no pause
    brings the old speed back, the device has a new one, and the next lease is judged by itself.
    """

    now_s: Callable[[], float] = time.monotonic
    _best: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By key of the conditions: microseconds, and when they were seen."""

    def reference_us(self, conditions_key: str) -> float | None:
        """Return the best time, or None if none is known."""
        best_us, seen_s = self._best.get(conditions_key, (None, 0.0))
        return best_us if self.now_s() - seen_s <= REMEMBERED_S else None

    def learn(self, conditions_key: str, result: Result) -> None:
        """Take in what a result says about the canary."""
        if result.status == "throttled":
            self._best.pop(conditions_key, None)
        elif result.canary_us is not None and result.status != "deferred":
            reference_us = self.reference_us(conditions_key)
            if reference_us is None or result.canary_us < reference_us:
                self._best[conditions_key] = result.canary_us, self.now_s()
