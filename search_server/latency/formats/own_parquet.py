"""A Parquet file of cells whose metadata hold all that a table says; comes back as the same snapshot."""

import io
from dataclasses import replace
from typing import Any

import pyarrow
from pyarrow import parquet

from search_server.latency.formats.own_json import require_normal_space
from search_server.latency.formats.reading import ImportedFile, ReadTable
from search_server.latency.table import LatencyTable, TableEntry
from search_server.resources.tables import Table
from shared.protocol.wire import to_json

MEDIA_TYPE = "application/vnd.apache.parquet"

_TABLE = b"edgenas.table"
"""Metadata key of the table's own JSON with no entries: those are the file's columns."""
_NO_LATENCY = ("missing", "identity")


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
    try:
        arrow = parquet.read_table(io.BytesIO(file.content))
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"not a Parquet file: {error}") from error
    metadata = arrow.schema.metadata or {}
    missing = [name for name in _SCHEMA.names if name not in arrow.column_names]
    if _TABLE not in metadata or missing:
        lacking = ", ".join(missing) or f"metadata {_TABLE.decode()!r}"
        raise ValueError(f"the Parquet file lacks {lacking}; export writes it")
    entries = {
        row["key"]: TableEntry(row["latency_units"], row["sigma_units"], row["num_samples"], row["status"])
        for row in arrow.to_pylist()
        if row["status"] not in _NO_LATENCY
    }
    table = replace(LatencyTable.from_json(metadata[_TABLE]), entries=entries)
    named = metadata.get(b"edgenas.snapshot", b"").decode()
    if table.snapshot != named:
        raise ValueError(
            f"the file's cells are not those of snapshot {named!r}: they were changed after the export; "
            "a changed table is imported as CSV"
        )
    return ReadTable(require_normal_space(table))


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
