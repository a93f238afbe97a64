"""One option of a dataclass: default, limits, unit and help, said once where the field stands.

The command line, the REST schema, the checks and the reference page are built from these fields.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

T = TypeVar("T")
Group = Literal["Options", "Advanced"]

_KEY = "option"
_NOT_GIVEN: Any = object()
"""Stands in a field until :func:`complete` puts the preset's value or the default there."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The values that a number may have; None: no limit on that side."""

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None

    def __str__(self) -> str:
        if self.at_most is not None and self.above is not None:
            return f"{self.above:g}..{self.at_most:g} (above {self.above:g})"
        if self.at_most is not None:
            return f"{self.at_least or 0:g}..{self.at_most:g}"
        if self.above is not None:
            return f"above {self.above:g}"
        return "" if self.at_least is None else f"at least {self.at_least:g}"

    def hold(self, value: float) -> bool:
        """Return whether a value is finite and within the limits."""
        return (
            math.isfinite(value)
            and (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
        )


@dataclass(frozen=True, slots=True)
class Option:
    """What is known of an option."""

    default: Any
    help: str
    """One sentence."""
    unit: str
    limits: Limits
    flags: str | None
    """On the command line where the name does not say it; empty: not there."""
    is_count: bool
    """On the command line it may be written as 60M."""
    group: Group
    older_flag: str = ""
    """Still read on the command line, and not shown."""
    name: str = ""
    type: Any = None
    """Of the field, as it is annotated."""

    @property
    def kind(self) -> Any:
        """The type of a value that is not None."""
        kinds = [kind for kind in get_args(self.type) if kind is not type(None)]
        return kinds[0] if self.is_optional else self.type

    @property
    def flag(self) -> str:
        """How it is written on the command line; empty where it has no place there."""
        if self.flags is not None:
            return self.flags
        flag = f"--{self.name.replace('_', '-')}"
        return f"{flag}/--no-{flag[2:]}" if self.kind is bool else flag

    @property
    def is_optional(self) -> bool:
        """Whether None is a value."""
        return type(None) in get_args(self.type)

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it may be; empty for numbers and texts."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()

    def check(self, value: Any) -> None:
        """Refuse a value that is not among the choices or not within the limits.

        Raises:
            ValueError: the message names the option, the limits and the value.
        """
        if value is None and self.is_optional:
            return
        if self.choices and value not in self.choices:
            raise ValueError(f"{self.name} must be one of {', '.join(self.choices)}, got {value!r}")
        if self.kind not in (int, float):
            return
        if value is None or not self.limits.hold(value):
            words = str(self.limits) or "a number"
            verb = "lie in" if ".." in words else "be"
            shown = value if isinstance(value, int | None) else f"{value:g}"
            finite = "" if value is None or math.isfinite(value) else " and finite"
            raise ValueError(f"{self.name} must {verb} {words}{finite}, got {shown}")


def option(
    default: T,
    help: str,  # noqa: A002  # as in every library for command lines
    *,
    unit: str = "",
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    flags: str | None = None,
    is_count: bool = False,
    group: Group = "Options",
    older_flag: str = "",
) -> T:
    """Return a dataclass field; its class calls :func:`complete` in ``__post_init__``."""
    limits = Limits(at_least, above, at_most)
    known = {"minimum": at_least, "exclusiveMinimum": above, "maximum": at_most, "default": default}
    metadata = {
        _KEY: Option(default, help, unit, limits, flags, is_count, group, older_flag),
        # What pydantic reads for the REST schema.
        "description": help,
        "json_schema_extra": {key: value for key, value in known.items() if value is not None},
    }
    return cast(T, field(default_factory=lambda: _NOT_GIVEN, metadata=metadata))


def options_of(target: type) -> Mapping[str, Option]:
    """Return the options among the fields of a dataclass, by name, in order."""
    return {
        each.name: replace(each.metadata[_KEY], name=each.name, type=each.type)
        for each in fields(target)
        if _KEY in each.metadata
    }


def complete(target: Any, preset: Mapping[str, Any]) -> None:
    """Give each option that was not given the value of a preset, else its default; then check it.

    Raises:
        ValueError: a value is not among the choices or not within the limits.
    """
    for name, each in options_of(type(target)).items():
        if getattr(target, name) is _NOT_GIVEN:
            object.__setattr__(target, name, preset.get(name, each.default))
        each.check(getattr(target, name))
