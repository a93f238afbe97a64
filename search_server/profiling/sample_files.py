"""Samples as one tidy file, Parquet or CSV: a row for each run, written lease by lease.

Every row stands on its own: it says of which lease, device, network and conditions it is.
``docs/samples.md`` describes the columns and fits a table again from such a file.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow
from pyarrow import compute, csv, parquet

from search_server.resources.formats import SampleFormat
from search_server.resources.samples import ItemSamples, LeaseSamples, SampleSummary
from shared.protocol.measurement import Result
from shared.protocol.wire import to_json

_TEXT, _WHOLE, _NUMBER, _FLAG = pyarrow.string(), pyarrow.int64(), pyarrow.float64(), pyarrow.bool_()

_ABOUT_ITEMS = {
    "job_id": _TEXT,
    "lease_id": _TEXT,
    "device_id": _TEXT,
    "device": _TEXT,
    "space": _TEXT,
    "conditions": _TEXT,
    "item_id": _TEXT,
    "architecture": _TEXT,
    "is_anchor": _FLAG,
    "is_profiled": _FLAG,
    "is_simulated": _FLAG,
    "status": _TEXT,
    "reason": _TEXT,
    "runtime_version": _TEXT,
    "agent_version": _TEXT,
    "started_at": _TEXT,
    "received_at": _TEXT,
}
_ABOUT_RUNS = {
    "kind": _TEXT,
    "run": _WHOLE,
    "wall_us": _NUMBER,
    "start_us": _NUMBER,
    "cpu_us": _NUMBER,
    "turn_index": _WHOLE,
    "involuntary_switches": _WHOLE,
    "minor_faults": _WHOLE,
    "node_index": _WHOLE,
    "node": _TEXT,
    "op_type": _TEXT,
    "segment": _TEXT,
}
SCHEMA = pyarrow.schema({**_ABOUT_ITEMS, **_ABOUT_RUNS})

_Columns = Mapping[str, Sequence[Any]]


def sample_file(leases: Iterable[LeaseSamples], sample_format: SampleFormat) -> Iterator[bytes]:
    """Yield the parts of a file with the samples of leases; only one lease is held at a time."""
    buffer = io.BytesIO()
    with _writer(buffer, sample_format) as writer:
        for lease in leases:
            table = lease_table(lease)
            writer.write_table(without_formulas(table) if sample_format == "csv" else table)
            yield _take(buffer)
    yield _take(buffer)


def lease_table(lease: LeaseSamples) -> pyarrow.Table:
    """Return the rows of one lease in the order in which results came."""
    parts = [
        _rows(_about(lease, item), kind, columns)
        for item in lease.items
        for kind, columns in (_summary_records(item.summary) if item.summary else _records(item.result))
    ]
    return pyarrow.concat_tables([SCHEMA.empty_table(), *parts])


def _about(lease: LeaseSamples, item: ItemSamples) -> dict[str, Any]:
    """Return what is alike in all rows of an item."""
    result = item.result
    return {
        "job_id": lease.lease.job_id,
        "lease_id": lease.lease.lease_id,
        "device_id": lease.device_id,
        "device": lease.device_name,
        "space": lease.space,
        "conditions": to_json(lease.conditions),
        "item_id": item.item_id,
        "architecture": item.architecture,
        "is_anchor": item.is_anchor,
        "is_profiled": item.is_profiled,
        "is_simulated": result.is_simulated,
        "status": result.status,
        "reason": result.reason,
        "runtime_version": result.runtime_version,
        "agent_version": result.agent_version,
        "started_at": result.started_at,
        "received_at": item.received_at,
    }


def _records(result: Result) -> Iterator[tuple[str, _Columns]]:
    """Yield kinds of rows with their columns; an item that never ran has one row that says so."""
    runs, profiled_us = result.runs, result.profiled_wall_us
    if runs.wall_us:
        measured = ("wall_us", "start_us", "cpu_us", "turn_index", "involuntary_switches", "minor_faults")
        columns = {name: getattr(runs, name) for name in measured}
        yield "run", {"run": range(len(runs.wall_us)), **columns}
    if profiled_us:
        yield "profiled_run", {"run": range(len(profiled_us)), "wall_us": profiled_us}
    nodes = [
        (run, us, index, node.name, node.op_type, node.segment)
        for index, node in enumerate(result.nodes)
        for run, us in enumerate(node.wall_us)
    ]
    if nodes:
        names = ("run", "wall_us", "node_index", "node", "op_type", "segment")
        yield "node", dict(zip(names, zip(*nodes, strict=True), strict=True))
    if not (runs.wall_us or profiled_us or nodes):
        yield "none", {"run": [None]}


def _summary_records(summary: SampleSummary) -> Iterator[tuple[str, _Columns]]:
    """Yield a row for each median that is left of samples that were compacted."""
    for kind, quantiles in (("run_median", summary.runs), ("profiled_run_median", summary.profiled_runs)):
        if quantiles is not None:
            yield kind, {"run": [None], "wall_us": [quantiles.median_us]}
    if summary == SampleSummary(None, None):
        yield "none", {"run": [None]}


def _rows(about: Mapping[str, Any], kind: str, columns: _Columns) -> pyarrow.Table:
    constants, num_rows = {**about, "kind": kind}, len(columns["run"])
    arrays = [
        pyarrow.array(columns[column.name], column.type)
        if column.name in columns
        else pyarrow.repeat(pyarrow.scalar(constants.get(column.name), column.type), num_rows)
        for column in SCHEMA
    ]
    return pyarrow.table(arrays, schema=SCHEMA)


def _writer(buffer: io.BytesIO, sample_format: SampleFormat) -> Any:
    if sample_format == "csv":
        return csv.CSVWriter(buffer, SCHEMA)
    return parquet.ParquetWriter(buffer, SCHEMA, compression="zstd")


def _take(buffer: io.BytesIO) -> bytes:
    """Return what was written since the last call; the writers count bytes by themselves."""
    content = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return content


def without_formulas(table: pyarrow.Table) -> pyarrow.Table:
    """Return a table whose texts no spreadsheet takes for a formula: they are quoted with ``'``."""
    for index, column in enumerate(table.schema):
        if column.type == _TEXT:
            quoted = compute.replace_substring_regex(table[column.name], r"^([=+\-@\t\r])", r"'\1")
            table = table.set_column(index, column, quoted)
    return table
