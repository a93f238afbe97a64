"""Reads stored JSON; what older versions let in and no answer can hold is made harmless."""

import json
from typing import Any


def read_stored_json(text: str | bytes) -> Any:
    """Return what a JSON column holds.

    Half a surrogate pair, which UTF-8 cannot hold, becomes a question mark; a number that is not finite
    becomes null. Requests with such values are refused now; rows from before would break each list of them.
    """
    text = text.decode() if isinstance(text, bytes) else text
    return json.loads(without_half_pairs(text), parse_constant=lambda _: None)


def without_half_pairs(text: str) -> str:
    """Return JSON text in which half a surrogate pair became a question mark; all else is as it was."""
    if "\\ud" not in text.lower():
        return text
    return json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "replace").decode()
