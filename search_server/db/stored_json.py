"""Reads stored JSON; what older versions let in and no answer can hold is made harmless."""

import json
from typing import Any


def read_stored_json(text: str | bytes) -> Any:
    """Return what a JSON column holds.

    Half a surrogate pair, which UTF-8 cannot hold, becomes a question mark; a number that is not finite
    becomes null. Requests with such values are refused now; rows from before would break each list of them.
    """
    text = text.decode() if isinstance(text, bytes) else text
    document = json.loads(text, parse_constant=lambda _: None)
    if "\\ud" not in text.lower():
        return document
    return json.loads(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))
