"""Numbers as a file writes them: decimal digits, one point at most, perhaps an exponent."""

import re

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_MAX_DIGITS = 400


def read_number(text: str, what: str) -> float:
    """Return a number that a file holds.

    Python's own reading takes more: ``1_000``, ``nan``, digits of other alphabets.

    Args:
        text: what the file holds.
        what: line and field, for the message.

    Raises:
        ValueError: it is no such number; the message names line, field and text.
    """
    text = text.strip()
    if len(text) > _MAX_DIGITS or not _NUMBER.fullmatch(text):
        hint = "; write a decimal point, no comma" if re.fullmatch(r"[+-]?\d+,\d+", text) else ""
        raise ValueError(f"{what} must be a number such as 0.25 or 5e-05, got {shortened(text)!r}{hint}")
    return float(text)


def read_count(text: str, what: str) -> int:
    """Return a whole number that a file holds, such as 100 or 100.0.

    Raises:
        ValueError: it is none; the message names line, field and text.
    """
    value = read_number(text, what)
    if not value.is_integer():
        raise ValueError(f"{what} must be a whole number, got {shortened(text)!r}")
    return int(value)


def shortened(text: str, limit: int = 100) -> str:
    """Return a text that fits into a message: printable, and of so many characters at most."""
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= limit else f"{text[:limit]}..."
