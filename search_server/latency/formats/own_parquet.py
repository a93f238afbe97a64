"""A Parquet file of cells whose metadata hold all that a table says; comes back as the same snapshot."""

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow
from pyarrow import parquet

from search_server.latency.formats.json_text import read_json
from search_server.latency.formats.own_json import require_normal_space
from search_server.latency.formats.reading import ImportedFile, ReadTable
from search_server.latency.table import LatencyTable, TableEntry
from search_server.resources.tables import Table
from shared.protocol.wire import from_dict, to_json

MEDIA_TYPE = "application/vnd.apache.parquet"

_TABLE = b"edgenas.table"
"""Metadata key of the table's own JSON with no entries: those are the file's columns."""
_NO_LATENCY = ("missing", "identity")
_MAX_ROWS = 10_000
_MAX_BYTES = 64 << 20


def to_parquet(table: Table, content: LatencyTable) -> bytes:
    """Return one row a cell; snapshot, conditions, verdict and anchor stand in the schema's metadata.

    Args:
        table: the snapshot as shown: names and microseconds.
        content: the same as stored: exact units and everything else.
    """
    summary, cells = table.summary, table.cells
    columns: dict[str, list[Any]] = {
        name: [getattr(cell, name) for cell in cells]
        for name in ("layer", "block", "key", "latency_us", "sigma_us", "num_samples", "status")
    }
    entries = [content.entries.get(cell.key) for cell in cells]
    columns["latency_units"] = [entry and entry.latency_units for entry in entries]
    columns["sigma_units"] = [entry and entry.sigma_units for entry in entries]
    metadata = {
        _TABLE: replace(content, entries={}).to_json(),
        "edgenas.snapshot": summary.snapshot,
        "edgenas.device": summary.device_name,
        "edgenas.space": summary.space,
        "edgenas.conditions": to_json(summary.conditions),
        "edgenas.verdict": to_json(summary.verdict),
        "edgenas.anchor_us": repr(summary.anchor_us),
    }
    file = io.BytesIO()
    arrow = pyarrow.table(columns, schema=_SCHEMA).replace_schema_metadata(metadata)
    parquet.write_table(arrow, file)
    return file.getvalue()


def read_own_parquet(file: ImportedFile) -> ReadTable:
    """Return the table of an exported Parquet file.

    Raises:
        ValueError: not such a file, or its cells are not those of the snapshot that it names.
    """
    file.forbid_conditions()
    arrow, metadata = _read(file.content)
    entries = {
        row["key"]: TableEntry(row["latency_units"], row["sigma_units"], row["num_samples"], row["status"])
        for row in arrow.to_pylist()
        if row["status"] not in _NO_LATENCY
    }
    table = replace(from_dict(read_json(metadata[_TABLE]), LatencyTable), entries=entries)
    table = LatencyTable.from_json(table.to_json())  # refuses empty fields in the columns
    named = metadata.get(b"edgenas.snapshot", b"").decode()
    if table.snapshot != named:
        raise ValueError(
            f"the file's cells are not those of snapshot {named!r}: they were changed after the export; "
            "a changed table is imported as CSV"
        )
    return ReadTable(require_normal_space(table))


def _read(content: bytes) -> tuple[pyarrow.Table, Mapping[bytes, bytes]]:
    """Return the columns of a file and its metadata; looks at its size before it unpacks anything."""
    try:
        file = parquet.ParquetFile(io.BytesIO(content))
        names, facts = file.schema_arrow.names, file.metadata
        metadata = file.schema_arrow.metadata or {}
        missing = [name for name in _SCHEMA.names if names.count(name) != 1]
        if _TABLE not in metadata or missing:
            lacking = ", ".join(missing) or f"metadata {_TABLE.decode()!r}"
            raise ValueError(f"the Parquet file lacks {lacking}; export writes it once")
        size = sum(facts.row_group(index).total_byte_size for index in range(facts.num_row_groups))
        if facts.num_rows > _MAX_ROWS or size > _MAX_BYTES:
            raise ValueError(
                f"the Parquet file has {facts.num_rows} rows of {size} bytes; a table has at most "
                f"{_MAX_ROWS} rows and {_MAX_BYTES} bytes"
            )
        return file.read(_SCHEMA.names).select(_SCHEMA.names).cast(_SCHEMA), metadata
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"not a Parquet file of a table: {error}") from error


_SCHEMA = pyarrow.schema(
    [
        ("layer", pyarrow.string()),
        ("block", pyarrow.string()),
        ("key", pyarrow.string()),
        ("latency_us", pyarrow.float64()),
        ("sigma_us", pyarrow.float64()),
        ("num_samples", pyarrow.int64()),
        ("status", pyarrow.string()),
        ("latency_units", pyarrow.float64()),
        ("sigma_units", pyarrow.float64()),
    ]
)
