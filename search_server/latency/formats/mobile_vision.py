"""The FBNet authors' operator tables: one JSON object a line, an operator with its microseconds.

Source: the ``runtime_lut`` of github.com/facebookresearch/mobile-vision, measured with Caffe2. A cell is
the sum over its operators, as their own script sums over a network's: median run time, the mean where an
operator stands in the file several times. Operators ``Int8*`` have images NHWC and kernels OHWI, the
others NCHW and OIHW; the former fuse a convolution with its ReLU.
"""

import json
import math
import re
import statistics
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from search_server.latency.formats.reading import ImportedFile, ReadTable, table_of_latencies
from shared.operators import (
    BatchNorm2d,
    ChannelShuffle,
    Conv2d,
    GlobalAvgPool,
    Linear,
    Operator,
    ReLU,
    Shape,
)
from shared.protocol.device import Conditions
from shared.workload import IDENTITY_KEY, Segment

_RUNTIME_VERSION = "caffe2"
_FIELD = "runtime_us_p50"
_ARGUMENT = re.compile(r'name:\s*"(\w+)"\s*i:\s*(\d+)')
_ADDITIONS = ("Add", "Sum")


@dataclass(frozen=True, slots=True)
class _Known:
    """An operator of the file: what it is called without Int8, what it takes, its sizes."""

    op_type: str
    shape: Shape
    sizes: tuple[int, ...] = ()
    """Of a convolution: out channels, kernel, stride, groups. Of a linear layer: out features."""


def read_mobile_vision(file: ImportedFile) -> ReadTable:
    """Return the table that the file's operators give for a space.

    Raises:
        ValueError: not such a file, a latency is impossible, no space was named, or no cell of it is there.
    """
    space = file.require_space()
    records = _records(file.content, file.device)
    is_int8 = any(str(record["op_type"]).startswith("Int8") for record in records)
    times: dict[_Known, list[float]] = defaultdict(list)
    for record in records:
        if str(record["op_type"]).startswith("Int8") == is_int8:
            known = _known(record, is_int8)
            if known is not None:
                times[known].append(float(record[_FIELD]))
    mean_us = {known: statistics.fmean(values) for known, values in times.items()}
    latency_us = {
        placed.key: us
        for placed in space.segments()
        if placed.key != IDENTITY_KEY
        and (us := _segment_us(placed.segment, placed.input_shape, mean_us)) is not None
    }
    device = records[0].get("device", file.device)
    conditions = Conditions("other", dtype="int8" if is_int8 else "fp32", runtime_version=_RUNTIME_VERSION)
    return table_of_latencies(
        file, space, latency_us, file.conditions or conditions, source=f"mobile-vision, {device}"
    )


def _records(content: bytes, device: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {number} is not JSON: {error}") from error
        if not isinstance(record, dict) or not {"op_type", "input_shapes", _FIELD} <= record.keys():
            raise ValueError(f"line {number} must be an object with op_type, input_shapes and {_FIELD}")
        us = record[_FIELD]
        if not isinstance(us, int | float) or not math.isfinite(us) or us < 0:
            raise ValueError(f"line {number}, {record['op_type']}: {_FIELD} must be at least 0, got {us!r}")
        records.append(record)
    devices = dict.fromkeys(str(record.get("device", device)) for record in records)
    if len(devices) > 1:
        if device not in devices:
            raise ValueError(f"the file has no device {device!r}; its devices are {', '.join(devices)}")
        records = [record for record in records if record.get("device") == device]
    if not records:
        raise ValueError("the file has no lines")
    return records


def _known(record: dict[str, Any], is_int8: bool) -> _Known | None:
    """Return the operator of a record; None if no segment of ours can have it."""
    op_type = str(record["op_type"]).removeprefix("Int8")
    shapes = record["input_shapes"]
    try:
        shape = _image_shape(shapes[0], is_int8)
        if op_type in ("Conv", "ConvRelu"):
            out, *others = map(int, shapes[1])
            depth, kernel = (others[-1], others[0]) if is_int8 else (others[0], others[-1])
            arguments = dict(_ARGUMENT.findall(" ".join(map(str, record.get("op_args", ())))))
            stride = int(arguments.get("stride") or arguments.get("stride_h") or 1)
            return _Known(op_type, shape, (out, kernel, stride, shape[0] // depth))
        if op_type == "FC":
            return _Known(op_type, (math.prod(shape), 1, 1), (int(shapes[1][0]),))
    except (IndexError, TypeError, ValueError, ZeroDivisionError):
        return None
    return _Known("Add" if op_type in _ADDITIONS else op_type, shape)


def _image_shape(sizes: list[int], is_int8: bool) -> Shape:
    _, *rest = map(int, sizes)
    if len(rest) == 1:
        return rest[0], 1, 1
    first, second, third = rest
    return (third, first, second) if is_int8 else (first, second, third)


def _segment_us(segment: Segment, shape: Shape, mean_us: dict[_Known, float]) -> float | None:
    """Return the sum over a segment's operators; None if one of them is not there."""
    total = 0.0
    entry, is_fused = shape, False
    for index, operator in enumerate(segment.operators):
        wants_relu = any(isinstance(next_op, ReLU) for next_op in segment.operators[index + 1 : index + 3])
        if isinstance(operator, ReLU) and is_fused:
            is_fused = False
        elif not isinstance(operator, BatchNorm2d):
            us, is_fused = _operator_us(operator, shape, wants_relu, mean_us)
            if us is None:
                return None
            total += us
        shape = operator.output_shape(shape)
    if segment.residual:
        us = mean_us.get(_Known("Add", entry))
        return None if us is None else total + us
    return total


def _operator_us(
    operator: Operator, shape: Shape, wants_relu: bool, mean_us: dict[_Known, float]
) -> tuple[float | None, bool]:
    """Return an operator's time, and whether the ReLU behind it is contained.

    A convolution without ReLU that is not in the file takes the time of the one with it, as the authors'
    script does.
    """
    match operator:
        case Conv2d():
            sizes = operator.out_channels, operator.kernel_size, operator.stride, operator.groups
            plain, fused = (mean_us.get(_Known(name, shape, sizes)) for name in ("Conv", "ConvRelu"))
            if wants_relu or plain is None:
                return (fused, wants_relu) if fused is not None else (plain, False)
            return plain, False
        case Linear():
            return mean_us.get(_Known("FC", shape, (operator.out_features,))), False
        case ChannelShuffle():
            return mean_us.get(_Known("ChannelShuffle", shape)), False
        case GlobalAvgPool():
            return mean_us.get(_Known("AveragePool", shape)), False
        case ReLU():
            return mean_us.get(_Known("Relu", shape)), False
        case BatchNorm2d():
            return 0.0, False
