"""Latency tables as files: CSV out; our own JSON and HW-NAS-Bench's FBNet tables in.

Source of the HW-NAS-Bench tables: Li et al., "HW-NAS-Bench" (ICLR 2021), FBNet space, CIFAR-100; the
copy in ``data/`` is licensed by ``licenses/LICENSE.HW-NAS-Bench``.
"""

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Any

from search_server.latency.table import LatencyTable, TableEntry
from search_server.profiling.covers import anchor_architecture
from search_server.resources.tables import Table
from shared.device import Conditions
from shared.search_space import SearchSpace, search_space
from shared.wire import WireError
from shared.workload import IDENTITY_KEY, Segment, segment_key

HW_NAS_BENCH_SPACE = "fbnet-cifar"
HW_NAS_BENCH_CONDITIONS: Mapping[str, Conditions] = {
    "raspi4": Conditions(runtime="litert"),
    "pixel3": Conditions(runtime="litert"),
    "eyeriss": Conditions(runtime="simulated"),
    "fpga": Conditions(runtime="simulated"),
}
"""The first two were timed with TensorFlow Lite, the others computed from a model of the hardware."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_CSV_COLUMNS = (
    "snapshot",
    "device",
    "space",
    "conditions",
    "layer",
    "block",
    "key",
    "latency_us",
    "sigma_us",
    "num_samples",
    "status",
)


def to_csv(table: Table) -> str:
    """Return one line a cell; text that a spreadsheet would take for a formula is quoted with ``'``."""
    summary = table.summary
    head = (summary.snapshot, summary.device_name, summary.space, str(summary.conditions))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_CSV_COLUMNS)
    for cell in table.cells:
        texts = (*head, cell.layer, cell.block, cell.key)
        numbers = (cell.latency_us, cell.sigma_us, cell.num_samples)
        writer.writerow((*map(_without_formula, texts), *numbers, _without_formula(cell.status)))
    return file.getvalue()


def read_own_json(content: bytes) -> LatencyTable:
    """Return the table that ``?format=json`` exported.

    Raises:
        ValueError: not such a file, or its space or numbers are impossible.
    """
    table = LatencyTable.from_json(content)
    space = search_space(table.space)
    if space.name != table.space:
        raise ValueError(f"space must be written {space.name!r}, got {table.space!r}")
    numbers = [table.anchor_us, *(entry.latency_units for entry in table.entries.values())]
    if not all(math.isfinite(number) and number >= 0 for number in numbers) or table.anchor_us <= 0:
        raise ValueError("anchor_us must be above 0 and latencies finite and at least 0")
    return table


def read_hw_nas_bench(content: bytes, device: str, device_id: str, created_at: str) -> LatencyTable:
    """Return the table of one device of an HW-NAS-Bench file.

    The file gives, in milliseconds, each cell less that of skip in the same layer, and one constant: the
    network of skips everywhere. The constant stands in the stem's entry, so that sums are exact; the
    entries of skip and of the head are 0.

    Args:
        content: the file.
        device: the device's name in the file.
        device_id: the device of the server that the table shall belong to.
        created_at: UTC, ISO 8601.

    Raises:
        ValueError: the file has another form, or lacks the device.
    """
    document = _read_object(content)
    devices = document.get("devices")
    if not isinstance(devices, dict) or device not in devices:
        known = ", ".join(devices) if isinstance(devices, dict) else "none"
        raise ValueError(f"the file has no device {device!r}; its devices are {known}")
    space = search_space(HW_NAS_BENCH_SPACE)
    ms_by_key = _milliseconds_by_key(space, document, devices[device])
    anchor_ms = sum(ms_by_key.get(key, 0.0) for key in anchor_architecture(space).workload().segment_keys())
    conditions = HW_NAS_BENCH_CONDITIONS.get(device, Conditions(runtime="litert"))
    return LatencyTable(
        space=space.name,
        device_id=device_id,
        conditions=conditions,
        anchor_us=anchor_ms * 1000,
        entries={key: TableEntry(ms / anchor_ms, 0.0, 0, "imported") for key, ms in ms_by_key.items()},
        network_sigma=0.0,
        created_at=created_at,
        source=f"HW-NAS-Bench, {device}",
        is_simulated=conditions.runtime == "simulated",
    )


def bundled_hw_nas_bench() -> bytes:
    """Return the HW-NAS-Bench file that comes with this package."""
    return (files("search_server.latency") / "data" / "hwnasbench_fbnet_cifar100_lut.json").read_bytes()


def for_device(table: LatencyTable, device_id: str) -> LatencyTable:
    """Return an imported table as a table of a device of this server."""
    return replace(table, device_id=device_id)


def _milliseconds_by_key(space: SearchSpace, document: dict[str, Any], device: Any) -> dict[str, float]:
    try:
        ops = [str(op) for op in document["ops"]]
        constant_ms = float(device["const_all_skip_ms"])
        rows = [[float(ms) for ms in row] for row in device["rel_to_skip_ms"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not an HW-NAS-Bench file of the FBNet space: {error!r}") from error
    if len(rows) != space.num_layers or any(len(row) != len(ops) for row in rows):
        raise ValueError(f"rel_to_skip_ms must be {space.num_layers} layers of {len(ops)} candidates")
    cells: list[tuple[Segment, tuple[int, int, int], float]] = [
        (space.candidate(layer, op), layer.input_shape, ms)
        for layer, row in zip(space.layers, rows, strict=True)
        for op, ms in zip(ops, row, strict=True)
    ]
    head_input = cells[-1][0].output_shape(cells[-1][1])
    cells += [(space.stem(), space.input_shape, constant_ms), (space.head(), head_input, 0.0)]
    ms_by_key: dict[str, float] = {}
    for segment, shape, ms in cells:
        key = segment_key(segment, shape)
        if key != IDENTITY_KEY and ms_by_key.setdefault(key, ms) != ms:
            raise ValueError(
                f"equal segments have unequal latencies in {segment.name}: {ms_by_key[key]}, {ms} ms"
            )
    return ms_by_key


def _read_object(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError as error:
        raise WireError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise WireError("must be a JSON object")
    return document


def _without_formula(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
