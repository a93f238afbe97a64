"""The text of a once-for-all table, YAML or JSON: a map from a block's description to its milliseconds.

YAML is read as a stream of scalars: numbers have JSON's meaning (``5e-05`` is one, which YAML 1.1 takes for
text), and aliases, which let a short file stand for a huge one, are refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from search_server.latency.formats.json_text import read_json
from search_server.latency.formats.numbers import read_count, read_number, shortened

_MAX_COUNT = 10**9
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FORM = "must be a map from block descriptions to maps with 'mean'"


@dataclass(frozen=True, slots=True)
class OfaBlock:
    """What a file says of one block."""

    mean_ms: float
    variance_ms2: float | None
    """Of one run; None: not told."""
    count: int | None
    """Of runs; None: not told."""

    @property
    def variance_of_mean(self) -> float | None:
        """Square of the standard error of ``mean_ms``; a variance without a count is that of one run."""
        return None if self.variance_ms2 is None else self.variance_ms2 / (self.count or 1)


def read_ofa_file(content: bytes) -> dict[str, OfaBlock]:
    """Return the blocks of a file by their descriptions.

    Raises:
        ValueError: it is no such file, a block or a field stands in it twice, or a value is impossible.
    """
    texts = _json_texts(content) if content.lstrip()[:1] == b"{" else _yaml_texts(content)
    return {name: _block(name, fields) for name, fields in texts.items()}


def _block(name: str, fields: dict[str, str]) -> OfaBlock:
    name = shortened(name, 160)
    if "mean" not in fields:
        raise ValueError(f"{name}: mean is missing")
    mean_ms = read_number(fields["mean"], f"{name}: mean")
    if not mean_ms > 0:
        raise ValueError(f"{name}: mean must be a number of milliseconds above 0, got {mean_ms:g}")
    variance = _variance(name, fields)
    count = read_count(fields["count"], f"{name}: count") if "count" in fields else None
    if count is not None and not 1 <= count <= _MAX_COUNT:
        raise ValueError(f"{name}: count must lie in 1..{_MAX_COUNT}, got {count:g}")
    return OfaBlock(mean_ms, variance, count)


def _variance(name: str, fields: dict[str, str]) -> float | None:
    """Return the variance of one run, ms^2, from ``var``, or from ``std`` as DynamicOFA's files have it."""
    field, power = ("var", 1) if "var" in fields else ("std", 2)
    if field not in fields:
        return None
    value = read_number(fields[field], f"{name}: {field}")
    most = 1e12 ** (1 / power)
    if not 0 <= value <= most:
        unit = "ms^2" if power == 1 else "ms"
        raise ValueError(f"{name}: {field} must lie in 0..{most:g} {unit}, got {value:g}")
    return value**power


def _json_texts(content: bytes) -> dict[str, dict[str, str]]:
    document: Any = read_json(content)
    if not all(isinstance(value, dict) for value in document.values()):
        raise ValueError(_FORM)
    return {
        name: {field: repr(value) for field, value in fields.items()} for name, fields in document.items()
    }


def _yaml_texts(content: bytes) -> dict[str, dict[str, str]]:
    blocks: dict[str, dict[str, str]] = {}
    try:
        events = _body(content)
        if not isinstance(next(events, None), yaml.MappingStartEvent):
            raise ValueError(_FORM)
        while isinstance(name := next(events), yaml.ScalarEvent):
            if not isinstance(next(events), yaml.MappingStartEvent):
                raise ValueError(_FORM)
            if name.value in blocks:
                raise ValueError(
                    f"{_line(name)}: block {shortened(name.value, 160)} stands in the file twice"
                )
            blocks[name.value] = _fields(events)
        if not isinstance(name, yaml.MappingEndEvent) or next(events, None) is not None:
            raise ValueError(_FORM)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"not YAML: {error}") from error
    return blocks


def _body(content: bytes) -> Iterator[yaml.Event]:
    for event in yaml.parse(content, _LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"{_line(event)}: write out what *{shortened(str(event.anchor))} stands for")
        if isinstance(event, yaml.CollectionEndEvent | yaml.NodeEvent):
            yield event


def _fields(events: Iterator[yaml.Event]) -> dict[str, str]:
    fields: dict[str, str] = {}
    while isinstance(name := next(events), yaml.ScalarEvent):
        value = next(events)
        if not isinstance(value, yaml.ScalarEvent):
            raise ValueError(f"{_line(value)}: {shortened(name.value)} must be a number")
        if name.value in fields:
            raise ValueError(f"{_line(name)}: {shortened(name.value)} stands in the block twice")
        fields[name.value] = value.value if not value.style else repr(value.value)
    if not isinstance(name, yaml.MappingEndEvent):
        raise ValueError(f"{_line(name)}: {_FORM}")
    return fields


def _line(event: yaml.Event) -> str:
    return f"line {event.start_mark.line + 1}" if event.start_mark else "a line"
