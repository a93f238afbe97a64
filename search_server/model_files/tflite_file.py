"""Subgraphs of tensors and operations -> the bytes of a ``.tflite`` file.

Each subgraph gets a signature of its own name, by which a runtime runs it. Constants of zeros take no
room of their own: all of them point into one stretch of zeros behind the tables, as the format allows for
large models. Source of the format: the schema of TensorFlow Lite, version 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import flatbuffers
import numpy as np
import tflite
from numpy.typing import NDArray

_SCHEMA_VERSION = 3
_IDENTIFIER = b"TFL3"
_ALIGNMENT = 64
_UNKNOWN_OFFSET = 1 << 30

TensorType = Literal["FLOAT32", "INT32", "INT8"]
_OPERATOR_VERSIONS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "RESHAPE": 1}
"""The first that take int8, per channel for convolutions; 2 for those not named."""

_SIZES = {"FLOAT32": 4, "INT32": 4, "INT8": 1}


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
    options_kind: str = ""
    """Table of the options, such as ``Conv2DOptions``; empty if there are none."""
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

    def add(
        self, kind: str, inputs: Sequence[int], output: Tensor, options_kind: str = "", **options: int
    ) -> int:
        """Append an operation and return the index of its output; the last one is the subgraph's."""
        index = self.add_tensor(output)
        self.operations.append(Operation(kind, tuple(inputs), index, options_kind, options))
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
    """Tables of one file; the format wants children to be written before their parents."""

    def __init__(self, zeros_offset: int) -> None:
        self._builder = flatbuffers.Builder(1 << 16)
        self._zeros_offset = zeros_offset
        self._buffers: list[int] = [self._table("Buffer")]
        """The first one is empty: computed tensors name it."""
        self._buffer_index: dict[bytes | int, int] = {}
        self._operator_codes: dict[str, int] = {}

    def build(self, subgraphs: Sequence[Subgraph]) -> bytes:
        graphs = [self._subgraph(subgraph) for subgraph in subgraphs]
        signatures = [self._signature(index, subgraph) for index, subgraph in enumerate(subgraphs)]
        codes = [self._operator_code(kind) for kind in self._operator_codes]
        model = self._table(
            "Model",
            Version=_SCHEMA_VERSION,
            OperatorCodes=self._offsets(codes),
            Subgraphs=self._offsets(graphs),
            Buffers=self._offsets(self._buffers),
            SignatureDefs=self._offsets(signatures),
        )
        self._builder.Finish(model, file_identifier=_IDENTIFIER)
        return bytes(self._builder.Output())

    def _table(self, kind: str, **fields: Any) -> int:
        getattr(tflite, f"{kind}Start")(self._builder)
        for name, value in fields.items():
            getattr(tflite, f"{kind}Add{name}")(self._builder, value)
        return int(getattr(tflite, f"{kind}End")(self._builder))

    def _offsets(self, offsets: Sequence[int]) -> int:
        self._builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._builder.PrependUOffsetTRelative(offset)
        return int(self._builder.EndVector())

    def _numbers(self, values: Sequence[float], dtype: type[np.generic] = np.int32) -> int:
        return int(self._builder.CreateNumpyVector(np.array(values, dtype)))

    def _subgraph(self, subgraph: Subgraph) -> int:
        tensors = [self._tensor(tensor) for tensor in subgraph.tensors]
        operations = [self._operation(operation) for operation in subgraph.operations]
        fields = {
            "Tensors": self._offsets(tensors),
            "Inputs": self._numbers([0]),
            "Outputs": self._numbers([len(tensors) - 1]),
            "Operators": self._offsets(operations),
            "Name": self._builder.CreateString(subgraph.name),
        }
        return self._table("SubGraph", **fields)

    def _tensor(self, tensor: Tensor) -> int:
        fields: dict[str, Any] = {
            "Buffer": self._buffer(tensor),
            "Name": self._builder.CreateString(tensor.name),
            "Shape": self._numbers(tensor.shape),
            "Type": getattr(tflite.TensorType, tensor.type),
        }
        if tensor.scales:
            fields["Quantization"] = self._table(
                "QuantizationParameters",
                Scale=self._numbers(tensor.scales, np.float32),
                ZeroPoint=self._numbers([0] * len(tensor.scales), np.int64),
                QuantizedDimension=tensor.channel_dimension,
            )
        return self._table("Tensor", **fields)

    def _buffer(self, tensor: Tensor) -> int:
        if tensor.content is None:
            return 0
        is_zeros = isinstance(tensor.content, str)
        content = tensor.num_bytes if is_zeros else np.ascontiguousarray(tensor.content).tobytes()
        if content not in self._buffer_index:
            if isinstance(content, bytes):
                data = self._builder.CreateNumpyVector(np.frombuffer(content, np.uint8))
                table = self._table("Buffer", Data=data)
            else:
                table = self._table("Buffer", Offset=self._zeros_offset, Size=content)
            self._buffer_index[content] = len(self._buffers)
            self._buffers.append(table)
        return self._buffer_index[content]

    def _operation(self, operation: Operation) -> int:
        fields: dict[str, Any] = {
            "OpcodeIndex": self._operator_codes.setdefault(operation.kind, len(self._operator_codes)),
            "Inputs": self._numbers(operation.inputs),
            "Outputs": self._numbers([operation.output]),
        }
        if operation.options_kind:
            fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, operation.options_kind)
            fields["BuiltinOptions"] = self._table(operation.options_kind, **operation.options)
        return self._table("Operator", **fields)

    def _operator_code(self, kind: str) -> int:
        code = getattr(tflite.BuiltinOperator, kind)
        version = _OPERATOR_VERSIONS.get(kind, 2)
        return self._table("OperatorCode", DeprecatedBuiltinCode=code, BuiltinCode=code, Version=version)

    def _signature(self, index: int, subgraph: Subgraph) -> int:
        fields = {
            "Inputs": self._offsets([self._tensor_map("input", 0)]),
            "Outputs": self._offsets([self._tensor_map("output", len(subgraph.tensors) - 1)]),
            "SignatureKey": self._builder.CreateString(subgraph.name),
            "SubgraphIndex": index,
        }
        return self._table("SignatureDef", **fields)

    def _tensor_map(self, name: str, tensor_index: int) -> int:
        text = self._builder.CreateString(name)
        return self._table("TensorMap", Name=text, TensorIndex=tensor_index)
