"""Durations as an operator types them: 30m, 1h, 7d."""

import re
from datetime import timedelta

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(text: str) -> timedelta:
    """Return the duration that a text says.

    Raises:
        ValueError: it is no positive number with one of these units, or longer than a calendar can tell.
    """
    match = re.fullmatch(r"(\d{1,9})([smhd])", text.strip(), re.ASCII)
    if match is None or int(match[1]) == 0:
        raise ValueError(f"a duration is a number and s, m, h or d, such as 1h; got {text!r}")
    return timedelta(seconds=int(match[1]) * _UNIT_S[match[2]])
