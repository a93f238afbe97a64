"""What JSON from outside may hold so that it can be stored and sent on.

Python reads more than JSON has (NaN), and JSON allows more than UTF-8, PostgreSQL and 64-bit integers hold.
One such value in a stored row would spoil every list that shows the row.
"""

import math
from typing import Any

MAX_INTEGER = 2**63 - 1

_NUMBERS = {int, float}


def plain_fault(document: Any) -> tuple[tuple[str | int, ...], str] | None:
    """Return where the first value is that cannot be kept, and what is wrong with it; None if all can."""
    if _is_surely_plain(document):
        return None  # as nearly always: to look at each value by itself takes ten times as long
    pending: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, dict):
            pending += [((*path, key), key) for key in value if scalar_fault(key)]
            pending += [((*path, key), item) for key, item in value.items() if _needs_a_look(item)]
        elif isinstance(value, list):
            pending += [((*path, index), item) for index, item in enumerate(value) if _needs_a_look(item)]
        elif message := scalar_fault(value):
            return path, message
    return None


def _is_surely_plain(document: Any) -> bool:
    """Tell whether all texts together and all numbers together can be kept."""
    texts: list[str] = []
    numbers: list[float] = []
    pending = [document]
    while pending:
        value = pending.pop()
        kind = type(value)
        if kind is dict:
            texts += value
            pending += value.values()
        elif kind is list:
            if set(map(type, value)) <= _NUMBERS:
                numbers += value
            else:
                pending += value
        elif kind is str:
            texts.append(value)
        elif kind in _NUMBERS:
            numbers.append(value)
    # NaN lies in no range. Of floats some larger ones could be kept too.
    are_bounded = all(-MAX_INTEGER <= number <= MAX_INTEGER for number in numbers)
    return are_bounded and scalar_fault("".join(texts)) is None


def scalar_fault(value: object) -> str | None:
    """Return why a text or number cannot be kept, or None."""
    if isinstance(value, str):
        if "\0" in value:
            return "must be text without NUL characters"
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            return "must be text that UTF-8 can hold; it has half of a surrogate pair"
    elif isinstance(value, float):
        if not math.isfinite(value):
            return f"must be a finite number, got {value}"
    elif isinstance(value, int) and not -MAX_INTEGER - 1 <= value <= MAX_INTEGER:
        return "must be a number of at most 64 bits"
    return None


def _needs_a_look(value: object) -> bool:
    return isinstance(value, dict | list) or scalar_fault(value) is not None
