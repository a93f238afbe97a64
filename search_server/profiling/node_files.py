"""The nodes of a measured model as one tidy file: a row for each node, which stands on its own."""

import io
from typing import Any

import pyarrow
from pyarrow import csv, parquet

from search_server.profiling.sample_files import without_formulas
from search_server.resources.formats import TableFormat
from search_server.resources.models import ModelMeasurement
from shared.protocol.wire import to_json

_TEXT, _WHOLE, _NUMBER = pyarrow.string(), pyarrow.int64(), pyarrow.float64()

SCHEMA = pyarrow.schema(
    {
        "model": _TEXT,
        "device": _TEXT,
        "job_id": _TEXT,
        "conditions": _TEXT,
        "model_latency_us": _NUMBER,
        "node_index": _WHOLE,
        "node": _TEXT,
        "op_type": _TEXT,
        "shapes": _TEXT,
        "latency_us": _NUMBER,
        "share": _NUMBER,
        "profiled_us": _NUMBER,
        "num_runs": _WHOLE,
    }
)


def node_file(measured: ModelMeasurement, file_format: TableFormat) -> bytes:
    """Return a measurement as JSON, or its nodes as CSV or Parquet."""
    if file_format == "json":
        return to_json(measured).encode()
    table = node_table(measured)
    buffer = io.BytesIO()
    if file_format == "csv":
        csv.write_csv(without_formulas(table), buffer)
    else:
        parquet.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def node_table(measured: ModelMeasurement) -> pyarrow.Table:
    """Return a row for each node."""
    latency = measured.latency
    rows: list[dict[str, Any]] = [
        {
            "model": measured.model_name,
            "device": measured.job.device_name,
            "job_id": measured.job.job_id,
            "conditions": str(measured.job.conditions),
            "model_latency_us": latency.latency_us,
            "node_index": index,
            "node": node.node,
            "op_type": node.op_type,
            "shapes": node.shapes,
            "latency_us": node.latency_us,
            "share": node.share,
            "profiled_us": node.profiled_us,
            "num_runs": node.num_runs,
        }
        for index, node in enumerate(latency.nodes if latency else ())
        if latency
    ]
    return pyarrow.Table.from_pylist(rows, SCHEMA)
