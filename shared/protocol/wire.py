"""JSON <-> dataclasses, and the one error body of every HTTP answer."""

import json
from dataclasses import dataclass
from typing import Any, TypeVar

import cattrs
from cattrs.preconf.json import make_converter

from shared.protocol.plain_json import plain_fault

T = TypeVar("T")

_converter = make_converter()
_strict_numbers = (int, float)


def _structure_number(value: Any, target: type) -> Any:
    if isinstance(value, bool) or not isinstance(value, _strict_numbers):
        raise ValueError(f"must be a number, got {value!r}")
    try:
        if target is int and int(value) != value:
            raise ValueError(f"must be a whole number, got {value!r}")
        return target(value)
    except OverflowError:
        raise ValueError("must be a number below 1e308") from None


def _structure_text(value: Any, _: type) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, got {value!r}")
    return value


def _structure_bool(value: Any, _: type) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, got {value!r}")
    return value


_converter.register_structure_hook(int, _structure_number)
_converter.register_structure_hook(float, _structure_number)
_converter.register_structure_hook(str, _structure_text)
_converter.register_structure_hook(bool, _structure_bool)


class WireError(ValueError):
    """A message from outside does not have the form it must have; says where."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field at fault: its path, and what is wrong with it."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The body of every HTTP error (RFC 9457, ``application/problem+json``)."""

    type: str
    """A stable word for programs, such as ``unknown_device``."""
    title: str
    status: int
    detail: str
    """One sentence: the thing, the value, the limit, the next step."""
    errors: tuple[FieldError, ...] = ()


def to_dict(message: object) -> Any:
    """Return plain dicts, lists and scalars for a dataclass or a container of them."""
    return _converter.unstructure(message)


def to_json(message: object) -> str:
    """Return compact JSON on one line."""
    return json.dumps(to_dict(message), separators=(",", ":"))


def from_dict(document: Any, target: type[T]) -> T:
    """Build ``target`` from plain data.

    Raises:
        WireError: a field is missing, of another type, or breaks an invariant; all are listed.
    """
    try:
        return _converter.structure(document, target)
    except (cattrs.BaseValidationError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise WireError(f"not a valid {_name(target)}: {'; '.join(_explain(error))}") from error


def from_json(text: str | bytes, target: type[T]) -> T:
    """Build ``target`` from JSON text.

    Raises:
        WireError: not JSON, or not of the form of ``target``.
    """
    return from_dict(_parsed(text, target), target)


def from_peer(text: str | bytes, target: type[T]) -> T:
    """Build ``target`` from what another program answered, which may hold values that cannot be kept.

    Raises:
        WireError: not JSON, not of the form of ``target``, or with a value that cannot be kept.
    """
    document = _parsed(text, target)
    fault = plain_fault(document)
    if fault is not None:
        path, message = fault
        raise WireError(f"not a valid {_name(target)}: {'.'.join(map(str, path))!a} {message}")
    return from_dict(document, target)


def _parsed(text: str | bytes, target: type) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not a valid {_name(target)}: not JSON: {error}") from error


def _explain(error: BaseException) -> list[str]:
    if isinstance(error, cattrs.BaseValidationError):
        lines = cattrs.transform_error(error, format_exception=lambda cause, _: str(cause))
        return [line.removesuffix(" @ $") for line in lines]
    return [str(error)]


def _name(target: type) -> str:
    return getattr(target, "__name__", str(target))
