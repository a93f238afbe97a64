"""FlatBuffers -> nested tables, by the same schemas as :mod:`search_server.model_files.flat_tables`.

Every place in the buffer is checked before it is read, and the number of tables is bounded, so that a file
from outside can do no more than be refused. Fields that the schema does not name are not looked at.
"""

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from search_server.model_files.flat_tables import VECTOR_TYPES, Schema

MAX_TABLES = 500_000
MAX_DEPTH = 32

_SCALARS = {
    "Bool": "<?",
    "Int8": "<b",
    "Uint8": "<B",
    "Int32": "<i",
    "Uint32": "<I",
    "Int64": "<q",
    "Uint64": "<Q",
    "Float32": "<f",
}


class FlatBufferError(ValueError):
    """The buffer is not what its format says."""


def read_flat(schema: Schema, kind: str, content: bytes, identifier: bytes) -> dict[str, Any]:
    """Return the root table of a buffer: scalars, texts, arrays, and tables as further dictionaries.

    A field that the buffer lacks is not in the dictionary. Of a union its number is given. Tables whose
    name the schema does not tell are left out.

    Raises:
        FlatBufferError: the buffer has another identifier, or points outside itself.
    """
    if content[4:8] != identifier:
        raise FlatBufferError(f"bytes 4 to 8 must be {identifier!r}, got {content[4:8]!r}")
    reader = _Reader(schema, content)
    return reader.table(kind, reader.scalar("Uint32", 0), 0)


@dataclass(slots=True)
class _Reader:
    schema: Schema
    content: bytes
    num_tables: int = field(default=0)

    def scalar(self, kind: str, place: int) -> Any:
        try:
            return struct.unpack_from(_SCALARS[kind], self.content, self._inside(place))[0]
        except struct.error:
            raise FlatBufferError(f"the buffer ends before byte {place + 8}") from None

    def table(self, kind: str, place: int, depth: int) -> dict[str, Any]:
        self.num_tables += 1
        if self.num_tables > MAX_TABLES or depth > MAX_DEPTH:
            raise FlatBufferError(
                f"more than {MAX_TABLES:,} tables, or more than {MAX_DEPTH} in one another"
            )
        fields_place = place - self.scalar("Int32", place)
        num_bytes = self._short(fields_place)
        found: dict[str, Any] = {}
        for name, (index, field_kind) in self.schema.tables[kind].items():
            slot = 4 + 2 * index
            offset = self._short(fields_place + slot) if slot + 2 <= num_bytes else 0
            if offset and field_kind.strip("[]") != "table":
                found[name] = self._field(field_kind, place + offset, depth)
        return found

    def _field(self, kind: str, place: int, depth: int) -> Any:
        if kind == "union":
            return self.scalar("Uint8", place)
        if kind in _SCALARS:
            return self.scalar(kind, place)
        target = place + self.scalar("Uint32", place)
        if kind.strip("[]") in self.schema.tables:
            if not kind.startswith("["):
                return self.table(kind, target, depth + 1)
            places = [target + 4 + 4 * index for index in range(self._length(target, 4))]
            inner = kind.strip("[]")
            return [self.table(inner, p + self.scalar("Uint32", p), depth + 1) for p in places]
        if kind == "text":
            length = self._length(target, 1)
            return self.content[target + 4 : target + 4 + length].decode(errors="replace")
        dtype = np.dtype(VECTOR_TYPES[kind])
        length = self._length(target, dtype.itemsize)
        return np.frombuffer(self.content, dtype, length, target + 4)

    def _short(self, place: int) -> int:
        try:
            return int(struct.unpack_from("<H", self.content, self._inside(place))[0])
        except struct.error:
            raise FlatBufferError(f"the buffer ends before byte {place + 2}") from None

    def _length(self, place: int, item_bytes: int) -> int:
        """Return the length of a vector, all of which lies in the buffer."""
        length = int(self.scalar("Uint32", place))
        if place + 4 + length * item_bytes > len(self.content):
            raise FlatBufferError(f"a vector of {length:,} at byte {place} ends outside the buffer")
        return length

    def _inside(self, place: int) -> int:
        if not 0 <= place < len(self.content):
            raise FlatBufferError(f"it points to byte {place}, and has {len(self.content):,}")
        return place
