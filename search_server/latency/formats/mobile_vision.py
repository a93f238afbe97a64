"""The FBNet authors' operator tables: one JSON object a line, an operator with its microseconds.

Source: the ``runtime_lut`` of github.com/facebookresearch/mobile-vision, measured with Caffe2. A cell is
the sum over its operators, as their own script sums over a network's: median run time, the mean where an
operator stands in the file several times. Operators ``Int8*`` have images NHWC and kernels OHWI, the
others NCHW and OIHW unless their argument ``order`` says otherwise; the former fuse a convolution with its
ReLU.
"""

import math
import re
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from search_server.latency.formats.json_text import read_json
from search_server.latency.formats.numbers import shortened
from search_server.latency.formats.reading import ImportedFile, ReadLatency, ReadTable, table_of_latencies
from search_server.latency.plausibility import MAX_CELL_US
from shared.operators import (
    BatchNorm2d,
    ChannelShuffle,
    Conv2d,
    GlobalAvgPool,
    HSigmoid,
    HSwish,
    Linear,
    Operator,
    ReLU,
    ReLU6,
    Shape,
    SqueezeExcite,
)
from shared.protocol.device import Conditions
from shared.workload import IDENTITY_KEY, Segment

_RUNTIME_VERSION = "caffe2"
_FIELD = "runtime_us_p50"
_ARGUMENT = re.compile(r'name:\s*"(\w+)"((?:\s*(?:i|ints|s):\s*(?:-?\d+|"\w*"))+)')
_VALUE = re.compile(r'(?:i|ints|s):\s*(-?\d+|"\w*")')
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
    latencies = {
        placed.key: ReadLatency(us)
        for placed in space.segments()
        if placed.key != IDENTITY_KEY
        and (us := _segment_us(placed.segment, placed.input_shape, mean_us)) is not None
    }
    device = shortened(str(records[0].get("device", file.device)))
    conditions = Conditions("other", dtype="int8" if is_int8 else "fp32", runtime_version=_RUNTIME_VERSION)
    return table_of_latencies(
        file, space, latencies, file.conditions or conditions, source=f"mobile-vision, {device}"
    )


def _records(content: bytes, device: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = read_json(line)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        if not isinstance(record, dict) or not {"op_type", "input_shapes", _FIELD} <= record.keys():
            raise ValueError(f"line {number} must be an object with op_type, input_shapes and {_FIELD}")
        us = record[_FIELD]
        if isinstance(us, bool) or not isinstance(us, int | float) or not 0 <= us <= MAX_CELL_US:
            op_type, value = shortened(str(record["op_type"])), shortened(repr(us))
            raise ValueError(
                f"line {number}, {op_type}: {_FIELD} must lie in 0..{MAX_CELL_US:g}, got {value}"
            )
        records.append(record)
    devices = dict.fromkeys(str(record.get("device", device)) for record in records)
    if len(devices) > 1:
        if device not in devices:
            known = shortened(", ".join(devices))
            raise ValueError(f"the file has no device {device!r}; its devices are {known}")
        records = [record for record in records if record.get("device") == device]
    if not records:
        raise ValueError("the file has no lines")
    return records


def _known(record: dict[str, Any], is_int8: bool) -> _Known | None:
    """Return the operator of a record; None if no segment of ours can have it."""
    op_type = str(record["op_type"]).removeprefix("Int8")
    shapes = record["input_shapes"]
    try:
        arguments = _arguments(record.get("op_args", ()))
        is_last = arguments.get("order", {'"NHWC"' if is_int8 else '"NCHW"'}) == {'"NHWC"'}
        shape = _image_shape(shapes[0], is_last)
        if op_type in ("Conv", "ConvRelu"):
            return _convolution(op_type, shape, shapes[1], arguments, is_last)
        if op_type == "AveragePool" and not _is_global(shape, arguments):
            return None
        if op_type == "FC":
            return _Known(op_type, (math.prod(shape), 1, 1), (int(shapes[1][0]),))
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    return _Known("Add" if op_type in _ADDITIONS else op_type, shape)


def _arguments(texts: Sequence[object]) -> dict[str, set[str]]:
    """Return the different values of each argument, texts with their quotes."""
    found = _ARGUMENT.findall(" ".join(map(str, texts)))
    return {name: set(_VALUE.findall(values)) for name, values in found}


def _convolution(
    op_type: str, shape: Shape, kernel_sizes: Sequence[int], arguments: dict[str, set[str]], is_last: bool
) -> _Known | None:
    """Return a convolution; None if it is dilated, or padded or grouped otherwise than ours are.

    The authors' script compares every argument.
    """
    out, *others = map(int, kernel_sizes)
    if len(others) != 3:
        return None
    depth, height, width = (others[2], *others[:2]) if is_last else others
    groups = shape[0] // depth
    wanted = {"dilation": 1, "group": groups, "pad": height // 2, "kernel": height}
    strides = _values(arguments, "stride") or {"1"}
    is_ours = all(_values(arguments, name) <= {str(value)} for name, value in wanted.items())
    if not is_ours or height != width or len(strides) > 1:
        return None
    return _Known(op_type, shape, (out, height, int(strides.pop()), groups))


def _values(arguments: dict[str, set[str]], name: str) -> set[str]:
    """Return what an argument's spellings say together: ``pad``, ``pads``, ``pad_t``."""
    spelled = (
        values
        for key, values in arguments.items()
        if key in (name, f"{name}s") or key.startswith(f"{name}_")
    )
    return set().union(*spelled)


def _is_global(shape: Shape, arguments: dict[str, set[str]]) -> bool:
    if "1" in arguments.get("global_pooling", ()):
        return True
    return _values(arguments, "kernel") <= {str(size) for size in shape[1:]}


def _image_shape(sizes: list[int], is_last: bool) -> Shape:
    _, *rest = map(int, sizes)
    if len(rest) == 1:
        return rest[0], 1, 1
    first, second, third = rest
    return (third, first, second) if is_last else (first, second, third)


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
        case ReLU6() | HSigmoid() | HSwish() | SqueezeExcite():
            return None, False  # the authors' networks have none
