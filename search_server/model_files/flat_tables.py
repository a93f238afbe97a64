"""Nested tables -> FlatBuffers without generated code: a schema is a few lines of text here.

A schema names each table's fields in the order of the format's own schema, which is what fixes their
place. The type of a field is a scalar such as ``Uint32``, a vector of them as ``[Uint32]``, ``text``,
``table``, ``[table]``, or ``union``, which takes the two places that a union has. Where a file of the
format is also read (:mod:`search_server.model_files.flat_reading`), the table's own name stands for
``table``.
Source of the format: https://flatbuffers.dev/internals/
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import flatbuffers
import numpy as np

VECTOR_TYPES: dict[str, type[np.generic]] = {
    "[Uint8]": np.uint8,
    "[Int32]": np.int32,
    "[Uint32]": np.uint32,
    "[Int64]": np.int64,
    "[Uint64]": np.uint64,
    "[Float32]": np.float32,
}


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables of a format: by name, each field's place and type."""

    tables: Mapping[str, Mapping[str, tuple[int, str]]]

    @classmethod
    def of(cls, **tables: str) -> Self:
        """Read tables written as ``first:Uint32 second:text``."""
        return cls({name: _fields(text) for name, text in tables.items()})


@dataclass(frozen=True, slots=True)
class Table:
    """A table and what lies in it; a field that is not named has the format's default."""

    kind: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Member:
    """One of the tables that a union may hold, and its number there."""

    number: int
    table: Table


def flat_bytes(schema: Schema, root: Table, identifier: bytes) -> bytes:
    """Return the buffer whose root is this table, with its identifier of four bytes."""
    builder = flatbuffers.Builder(1 << 14)
    builder.Finish(_write(builder, schema, root), file_identifier=identifier)
    return bytes(builder.Output())


def _fields(text: str) -> dict[str, tuple[int, str]]:
    places: dict[str, tuple[int, str]] = {}
    place = 0
    for field in text.split():
        name, _, kind = field.partition(":")
        places[name] = (place, kind)
        place += 2 if kind == "union" else 1
    return places


def _write(builder: flatbuffers.Builder, schema: Schema, table: Table) -> int:
    """Write children, then the table, as the format wants it; return the table's offset."""
    places = schema.tables[table.kind]
    written = {
        name: _child(builder, schema, places[name][1], value) for name, value in table.fields.items()
    }
    builder.StartObject(sum(2 if kind == "union" else 1 for _, kind in places.values()))
    for name, value in written.items():
        place, kind = places[name]
        if kind == "union":
            builder.PrependUint8Slot(place, table.fields[name].number, 0)
            builder.PrependUOffsetTRelativeSlot(place + 1, value, 0)
        elif kind in ("text", "table", *schema.tables) or kind.startswith("["):
            builder.PrependUOffsetTRelativeSlot(place, value, 0)
        else:
            getattr(builder, f"Prepend{kind}Slot")(place, value, 0)
    return int(builder.EndObject())


def _child(builder: flatbuffers.Builder, schema: Schema, kind: str, value: Any) -> Any:
    """Return the offset of what lies outside its table, or the scalar itself."""
    if kind == "text":
        return builder.CreateString(value)
    if kind in ("table", *schema.tables):
        return _write(builder, schema, value)
    if kind == "union":
        return _write(builder, schema, value.table)
    if kind in VECTOR_TYPES:
        return builder.CreateNumpyVector(np.array(value, VECTOR_TYPES[kind]))
    if kind.startswith("["):
        return _offsets(builder, [_write(builder, schema, each) for each in value])
    return value


def _offsets(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
