"""Subgraphs of tensors and operations -> the bytes of a ``.tflite`` file.

Each subgraph gets a signature of its own name, by which a runtime runs it. Constants of zeros take no
room of their own: all of them point into one stretch of zeros behind the tables, as the format allows for
large models. Source of the format: the schema of TensorFlow Lite, version 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from search_server.model_files.flat_tables import Member, Schema, Table, flat_bytes

SCHEMA = Schema.of(
    Model="version:Uint32 operator_codes:[OperatorCode] subgraphs:[SubGraph] description:text "
    "buffers:[Buffer] metadata_buffer:[Int32] metadata:[table] signature_defs:[SignatureDef]",
    OperatorCode="deprecated_builtin_code:Int8 custom_code:text version:Int32 builtin_code:Int32",
    SubGraph="tensors:[Tensor] inputs:[Int32] outputs:[Int32] operators:[Operator] name:text",
    Tensor="shape:[Int32] type:Int8 buffer:Uint32 name:text quantization:QuantizationParameters "
    "is_variable:Bool sparsity:table shape_signature:[Int32]",
    QuantizationParameters="min:[Float32] max:[Float32] scale:[Float32] zero_point:[Int64] details:union "
    "quantized_dimension:Int32",
    Buffer="data:[Uint8] offset:Uint64 size:Uint64",
    Operator="opcode_index:Uint32 inputs:[Int32] outputs:[Int32] builtin_options:union",
    Conv2DOptions="padding:Int8 stride_w:Int32 stride_h:Int32 fused_activation_function:Int8",
    DepthwiseConv2DOptions="padding:Int8 stride_w:Int32 stride_h:Int32 depth_multiplier:Int32 "
    "fused_activation_function:Int8",
    FullyConnectedOptions="fused_activation_function:Int8 weights_format:Int8 keep_num_dims:Bool",
    AddOptions="fused_activation_function:Int8",
    ReducerOptions="keep_dims:Bool",
    PadOptions="",
    ReshapeOptions="",
    TransposeOptions="",
    SubOptions="",
    MulOptions="fused_activation_function:Int8",
    HardSwishOptions="",
    SignatureDef="inputs:[TensorMap] outputs:[TensorMap] signature_key:text deprecated_tag:text "
    "subgraph_index:Uint32",
    TensorMap="name:text tensor_index:Uint32",
)
SCHEMA_VERSION = 3
IDENTIFIER = b"TFL3"
_ALIGNMENT = 64
_UNKNOWN_OFFSET = 1 << 30

TensorType = Literal["FLOAT32", "INT32", "INT8"]
_TYPE_NUMBERS = {"FLOAT32": 0, "INT32": 2, "INT8": 9}
_SIZES = {"FLOAT32": 4, "INT32": 4, "INT8": 1}


@dataclass(frozen=True, slots=True)
class _Kind:
    """A builtin operator in the format's lists."""

    code: int
    version: int = 2
    """The first that takes int8, per channel for convolutions."""
    options_number: int = 0
    """In the union of options; 0: it has none."""
    options: str = ""


_KINDS = {
    "ADD": _Kind(0, 2, 11, "AddOptions"),
    "CONV_2D": _Kind(3, 3, 1, "Conv2DOptions"),
    "DEPTHWISE_CONV_2D": _Kind(4, 3, 2, "DepthwiseConv2DOptions"),
    "FULLY_CONNECTED": _Kind(9, 4, 8, "FullyConnectedOptions"),
    "MUL": _Kind(18, 2, 21, "MulOptions"),
    "RELU": _Kind(19),
    "RELU6": _Kind(21),
    "RESHAPE": _Kind(22, 1, 17, "ReshapeOptions"),
    "PAD": _Kind(34, 2, 22, "PadOptions"),
    "TRANSPOSE": _Kind(39, 2, 26, "TransposeOptions"),
    "MEAN": _Kind(40, 2, 27, "ReducerOptions"),
    "HARD_SWISH": _Kind(117, 1, 91, "HardSwishOptions"),
    "SUB": _Kind(41, 1, 28, "SubOptions"),
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a subgraph: computed, or constant if it has content."""

    name: str
    shape: tuple[int, ...]
    type: TensorType
    content: NDArray[np.generic] | Literal["zeros"] | None = None
    scales: tuple[float, ...] = ()
    """One, or one a channel, for a quantised tensor; zero is at 0."""
    channel_dimension: int = 0
    """Along which ``scales`` run."""

    @property
    def num_bytes(self) -> int:
        return int(np.prod(self.shape)) * _SIZES[self.type]


@dataclass(frozen=True, slots=True)
class Operation:
    """A builtin operator between tensors, named by their index."""

    kind: str
    """Such as ``CONV_2D``."""
    inputs: tuple[int, ...]
    output: int
    options: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Subgraph:
    """A graph with one input and one output that grows operation by operation."""

    name: str
    tensors: list[Tensor] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)

    def add_tensor(self, tensor: Tensor) -> int:
        """Append a tensor and return its index; the first one is the subgraph's input."""
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def add(self, kind: str, inputs: Sequence[int], output: Tensor, **options: int) -> int:
        """Append an operation and return the index of its output; the last one is the subgraph's."""
        index = self.add_tensor(output)
        self.operations.append(Operation(kind, tuple(inputs), index, options))
        return index


def file_bytes(subgraphs: Sequence[Subgraph]) -> bytes:
    """Return the bytes of a file with these subgraphs; the first is what plain interpreters run."""
    tensors = [tensor for subgraph in subgraphs for tensor in subgraph.tensors]
    num_zeros = max((t.num_bytes for t in tensors if isinstance(t.content, str)), default=0)
    size = len(_File(_UNKNOWN_OFFSET).build(subgraphs))
    offset = -(-size // _ALIGNMENT) * _ALIGNMENT
    content = _File(offset).build(subgraphs)
    return content + bytes(offset - size + num_zeros) if num_zeros else content


class _File:
    """Tables of one file; buffers and operator codes are listed once, where they are first needed."""

    def __init__(self, zeros_offset: int) -> None:
        self._zeros_offset = zeros_offset
        self._buffers = [Table("Buffer", {})]
        """The first one is empty: computed tensors name it."""
        self._buffer_index: dict[bytes | int, int] = {}
        self._kinds: list[str] = []

    def build(self, subgraphs: Sequence[Subgraph]) -> bytes:
        graphs = [self._subgraph(subgraph) for subgraph in subgraphs]
        fields = {
            "version": SCHEMA_VERSION,
            "operator_codes": [_operator_code(_KINDS[kind]) for kind in self._kinds],
            "subgraphs": graphs,
            "buffers": self._buffers,
            "signature_defs": [_signature(index, subgraph) for index, subgraph in enumerate(subgraphs)],
        }
        return flat_bytes(SCHEMA, Table("Model", fields), IDENTIFIER)

    def _subgraph(self, subgraph: Subgraph) -> Table:
        fields = {
            "tensors": [self._tensor(tensor) for tensor in subgraph.tensors],
            "inputs": [0],
            "outputs": [len(subgraph.tensors) - 1],
            "operators": [self._operation(operation) for operation in subgraph.operations],
            "name": subgraph.name,
        }
        return Table("SubGraph", fields)

    def _tensor(self, tensor: Tensor) -> Table:
        fields: dict[str, Any] = {
            "shape": tensor.shape,
            "type": _TYPE_NUMBERS[tensor.type],
            "buffer": self._buffer(tensor),
            "name": tensor.name,
        }
        if tensor.scales:
            quantization = {
                "scale": tensor.scales,
                "zero_point": [0] * len(tensor.scales),
                "quantized_dimension": tensor.channel_dimension,
            }
            fields["quantization"] = Table("QuantizationParameters", quantization)
        return Table("Tensor", fields)

    def _buffer(self, tensor: Tensor) -> int:
        if tensor.content is None:
            return 0
        is_zeros = isinstance(tensor.content, str)
        content = tensor.num_bytes if is_zeros else np.ascontiguousarray(tensor.content).tobytes()
        if content not in self._buffer_index:
            if isinstance(content, bytes):
                fields: dict[str, Any] = {"data": np.frombuffer(content, np.uint8)}
            else:
                fields = {"offset": self._zeros_offset, "size": content}
            self._buffer_index[content] = len(self._buffers)
            self._buffers.append(Table("Buffer", fields))
        return self._buffer_index[content]

    def _operation(self, operation: Operation) -> Table:
        if operation.kind not in self._kinds:
            self._kinds.append(operation.kind)
        kind = _KINDS[operation.kind]
        fields: dict[str, Any] = {
            "opcode_index": self._kinds.index(operation.kind),
            "inputs": operation.inputs,
            "outputs": [operation.output],
        }
        if kind.options:
            options = Table(kind.options, operation.options)
            fields["builtin_options"] = Member(kind.options_number, options)
        return Table("Operator", fields)


def _operator_code(kind: _Kind) -> Table:
    fields = {"deprecated_builtin_code": kind.code, "builtin_code": kind.code, "version": kind.version}
    return Table("OperatorCode", fields)


def _signature(index: int, subgraph: Subgraph) -> Table:
    fields = {
        "inputs": [Table("TensorMap", {"name": "input", "tensor_index": 0})],
        "outputs": [Table("TensorMap", {"name": "output", "tensor_index": len(subgraph.tensors) - 1})],
        "signature_key": subgraph.name,
        "subgraph_index": index,
    }
    return Table("SignatureDef", fields)
