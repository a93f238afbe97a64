"""What is refused before a route reads it: values that cannot be kept, and true or false for a number."""

from collections.abc import Collection, Sequence
from dataclasses import is_dataclass
from functools import cache, lru_cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from fastapi import Request

from search_server.errors import InvalidValueError
from shared.protocol.plain_json import plain_fault, scalar_fault
from shared.protocol.wire import FieldError

_Path = tuple[str | int, ...]

_NESTED = (bool, dict, list)
"""What can be, or hold, true and false."""


async def check_request(request: Request, parameters: Collection[str], bodies: Sequence[Any]) -> None:
    """Check a request's path, query and, where the route takes a JSON body, the body.

    Args:
        request: as it came.
        parameters: what the query may have.
        bodies: the type of the body, if the route takes one.

    Raises:
        InvalidValueError: names the field at fault.
    """
    for name, text in request.path_params.items():
        _refuse(("path", name), scalar_fault(text))
    for name, text in request.query_params.multi_items():
        _refuse(("query", name), scalar_fault(text) or scalar_fault(name))
        if name not in parameters:
            known = ", ".join(sorted(parameters)) or "none"
            _refuse(("query", name), f"is no parameter of this route; it takes {known}")
    if not bodies:
        return
    try:
        document = await request.json()
    except (ValueError, RecursionError):
        return  # FastAPI, which reads it again, tells what is wrong with it
    path, message = plain_fault(document) or ((), None)
    _refuse(("body", *path), message)
    wrong = boolean_fault(document, tuple(bodies))
    if wrong is not None:
        _refuse(("body", *wrong), "must not be true or false")


def boolean_fault(value: Any, hints: tuple[Any, ...], path: _Path = ()) -> _Path | None:
    """Return where JSON has true or false and a type that it is to become has none; None if nowhere."""
    if isinstance(value, bool):
        return None if {bool, Any, object} & set(hints) else path
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        if isinstance(item, _NESTED):
            name = key[:64] if isinstance(key, str) else key  # no field has a longer one
            wrong = boolean_fault(item, _inner(hints, name), (*path, key))
            if wrong is not None:
                return wrong
    return None


@lru_cache(maxsize=4096)
def _inner(hints: tuple[Any, ...], key: str | int) -> tuple[Any, ...]:
    """Return the types that a field or an element may have."""
    inner: list[Any] = []
    for hint in hints:
        arguments = get_args(hint)
        if isinstance(hint, type) and is_dataclass(hint):
            inner += _alternatives(_fields(hint).get(str(key), Any))
        elif get_origin(hint) is tuple and isinstance(key, int) and Ellipsis not in arguments:
            inner += _alternatives(arguments[key]) if key < len(arguments) else [Any]
        elif arguments:  # tuple[X, ...], dict[str, X] and their like
            inner += _alternatives(next(each for each in reversed(arguments) if each is not Ellipsis))
        else:
            inner.append(Any)
    return tuple(inner)


@cache
def _fields(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _refuse(path: _Path, message: str | None) -> None:
    if message is not None:
        # The name of a field can itself be at fault: it is written in ASCII.
        words = ".".join(ascii(part)[1:-1] if isinstance(part, str) else str(part) for part in path)
        raise InvalidValueError("invalid_request", f"{words}: {message}", (FieldError(words, message),))
