"""JSON from other programs: a key that stands in an object twice is refused, and so is endless nesting."""

import json
from typing import Any

from search_server.latency.formats.numbers import shortened

_MAX_DIGITS = 400


def read_json(content: bytes) -> Any:
    """Return what JSON text holds.

    Raises:
        ValueError: it is not JSON, a key stands in one object twice, or objects are nested too deeply.
    """
    try:
        return json.loads(
            content, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=_integer
        )
    except RecursionError as error:
        raise ValueError("not JSON of a table: it is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"not JSON: not UTF-8: {error}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in document if keys.count(key) > 1)
        raise ValueError(f"key {shortened(repeated)!r} stands in the file twice")
    return document


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(
            f"{shortened(text, 20)} is a number of {len(text)} digits, more than {_MAX_DIGITS}"
        )
    return int(text)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
