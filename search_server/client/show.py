"""How values look to people: milliseconds, ages, counts, tables."""

import math
from collections.abc import Mapping
from datetime import datetime

from rich.table import Table
from rich.text import Text

_AGE_STEPS = (
    (60.0, 1.0, "s"),
    (3600.0, 60.0, "min"),
    (86_400.0, 3600.0, "h"),
    (float("inf"), 86_400.0, "d"),
)


def milliseconds(latency_us: float | None) -> str:
    """Return a latency in milliseconds with at least three significant digits."""
    if latency_us is None:
        return "-"
    ms = latency_us / 1000
    usual = 3 if ms < 10 else 2 if ms < 100 else 1
    return f"{ms:.{max(usual, _decimals(ms))}f}"


def in_ms(latency_us: float | None) -> float | None:
    """Return microseconds as milliseconds; None stays None."""
    return None if latency_us is None else latency_us / 1000


def microseconds(latency_us: float) -> str:
    """Return a latency in microseconds with three significant digits, whole from 100 on."""
    return f"{latency_us:.{_decimals(latency_us)}f}"


def _decimals(value: float) -> int:
    """Return how many decimals show three significant digits."""
    return max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0


def interval(low_us: float | None, high_us: float | None) -> str:
    """Return an interval of latencies in milliseconds, or ``unknown``."""
    if low_us is None or high_us is None:
        return "unknown"
    return f"{milliseconds(low_us)} .. {milliseconds(high_us)}"


def count(number: int | None) -> str:
    """Return a large count in millions, a small one as it is."""
    if number is None:
        return "-"
    return f"{number / 1e6:.2f} M" if number >= 1_000_000 else f"{number:,}"


def share(value: float | None) -> str:
    """Return a share 0..1 as a percentage."""
    return "-" if value is None else f"{100 * value:.1f} %"


def age(moment: str | None, now: datetime) -> str:
    """Return how long ago an ISO 8601 time was, such as ``3 min ago``; ``never`` without a time."""
    if moment is None:
        return "never"
    seconds = max(0.0, (now - datetime.fromisoformat(moment)).total_seconds())
    limit_unit = next(step for step in _AGE_STEPS if seconds < step[0])
    return f"{seconds / limit_unit[1]:.0f} {limit_unit[2]} ago"


def owner_words(owner: str, is_private: bool) -> str:
    """Return whose a thing is, and whether others find it."""
    return f"{owner}, private" if is_private else owner


def facts(rows: Mapping[str, str | Text]) -> Table:
    """Return names and values, one pair a line."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value)
    return table
