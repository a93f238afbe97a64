"""HW-NAS-Bench's latency tables of the FBNet space, in the form that ``data/`` has.

Source: Li et al., "HW-NAS-Bench" (ICLR 2021), FBNet space, CIFAR-100; the copy in ``data/`` is licensed by
``licenses/LICENSE.HW-NAS-Bench``.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from search_server.latency.formats.json_text import read_json
from search_server.latency.formats.numbers import read_number, shortened
from search_server.latency.formats.reading import ImportedFile, ReadLatency, ReadTable, table_of_latencies
from search_server.latency.plausibility import require_free_identity
from shared.protocol.device import Conditions
from shared.search_space import SearchSpace, search_space
from shared.workload import IDENTITY_KEY

SPACE = "fbnet-cifar"
CONDITIONS: Mapping[str, Conditions] = {
    "raspi4": Conditions(runtime="litert"),
    "pixel3": Conditions(runtime="litert"),
    "eyeriss": Conditions(runtime="simulated"),
    "fpga": Conditions(runtime="simulated"),
}
"""Raspberry Pi 4 and Pixel 3 ran TensorFlow Lite. Eyeriss's figures come from performance models of that
chip, the FPGA's from a Vivado HLS design for a Xilinx ZC706: neither ran a network."""

_ROUNDING_MS = 1e-9
"""Sums that should be 0 come out of the file's differences as near as this."""


def read_hw_nas_bench(file: ImportedFile) -> ReadTable:
    """Return the table of one device of an HW-NAS-Bench file.

    The file gives, in milliseconds, each cell less that of skip in the same layer, and one constant: the
    network of skips everywhere. The constant stands in the stem's entry, so that sums are exact; the
    entries of skip and of the head are 0.

    Raises:
        ValueError: the file has another form, or lacks the device.
    """
    file.forbid_conditions()
    document = _read_object(file.content)
    devices = document.get("devices")
    if not isinstance(devices, dict) or file.device not in devices:
        known = ", ".join(devices) if isinstance(devices, dict) else "none"
        raise ValueError(f"the file has no device {file.device!r}; its devices are {known}")
    space = search_space(SPACE)
    ms_by_key = _milliseconds_by_key(space, document, devices[file.device])
    conditions = CONDITIONS.get(file.device, Conditions(runtime="litert"))
    return table_of_latencies(
        file,
        space,
        {key: ReadLatency(ms * 1000) for key, ms in ms_by_key.items()},
        conditions,
        source=f"HW-NAS-Bench, {file.device}",
        is_simulated=conditions.runtime == "simulated",
    )


def bundled_hw_nas_bench() -> bytes:
    """Return the HW-NAS-Bench file that comes with this package."""
    return (files("search_server.latency") / "data" / "hwnasbench_fbnet_cifar100_lut.json").read_bytes()


def _milliseconds_by_key(space: SearchSpace, document: dict[str, Any], device: Any) -> dict[str, float]:
    try:
        ops = [str(op) for op in document["ops"]]
        constant_ms = _number(device["const_all_skip_ms"])
        rows = [[_number(ms) for ms in row] for row in device["rel_to_skip_ms"]]
    except (KeyError, TypeError, ValueError) as error:
        reason = shortened(repr(error))
        raise ValueError(f"not an HW-NAS-Bench file of the FBNet space: {reason}") from error
    if len(rows) != space.num_layers or any(len(row) != len(ops) for row in rows):
        raise ValueError(f"rel_to_skip_ms must be {space.num_layers} layers of {len(ops)} candidates")
    if sorted(ops) != sorted(space.candidates):
        known = shortened(", ".join(ops))
        raise ValueError(f"ops must be {', '.join(space.candidates)} in any order, each once, got {known}")
    cells_ms = {
        (layer.name, op): ms
        for layer, row in zip(space.layers, rows, strict=True)
        for op, ms in zip(ops, row, strict=True)
    }
    cells_ms |= {("stem", ""): constant_ms, ("head", ""): 0.0}
    ms_by_key: dict[str, float] = {}
    for placed in space.segments():
        key, name = placed.key, placed.segment.name
        ms = cells_ms[name, placed.block]
        ms = 0.0 if abs(ms) < _ROUNDING_MS else ms
        if key == IDENTITY_KEY:
            require_free_identity(f"{name} skip", ms * 1000)
        elif ms_by_key.setdefault(key, ms) != ms:
            raise ValueError(f"equal segments have unequal latencies in {name}: {ms_by_key[key]}, {ms} ms")
    return ms_by_key


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{shortened(repr(value))} is no number")
    return read_number(repr(value), "a latency")


def _read_object(content: bytes) -> dict[str, Any]:
    document = read_json(content)
    if not isinstance(document, dict):
        raise ValueError("must be a JSON object")
    return document
