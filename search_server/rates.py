"""How fast callers may ask: a bucket for each of them that fills at a steady rate.

Buckets are this process's own: two processes behind one address let through twice as much.
"""

import math
import threading
from dataclasses import dataclass, field
from datetime import datetime

_MAX_BUCKETS = 10_000
"""Buckets that are kept; when there are more, all begin full again."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """So much in so long, at once or spread over it; an amount of 0: no limit."""

    amount: float
    period_s: float
    _left: dict[str, tuple[float, datetime]] = field(default_factory=dict)
    """What each caller had left, and when."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, caller: str, amount: float, now: datetime) -> int:
        """Take so much of a caller's bucket and return 0, or the seconds until there is enough.

        More than a bucket holds is let through when it is full: a limit slows, it does not forbid.
        """
        if self.amount <= 0:
            return 0
        with self._lock:
            if len(self._left) > _MAX_BUCKETS:
                self._left.clear()
            left, then = self._left.get(caller, (self.amount, now))
            per_s = self.amount / self.period_s
            left = min(self.amount, left + per_s * max(0.0, (now - then).total_seconds()))
            lacking = min(amount, self.amount) - left
            self._left[caller] = (left if lacking > 0 else left - min(amount, self.amount), now)
        return math.ceil(lacking / per_s) if lacking > 0 else 0
