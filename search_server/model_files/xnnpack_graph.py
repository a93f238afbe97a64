"""A chain of segments -> the graph that ExecuTorch hands to XNNPACK, channels last, constants beside it.

Batch norms are folded, ReLUs and ReLU6s fused as ranges of outputs. Each tensor of one graph has a number;
the graph's input is number 0 and its output comes last. Constants lie in one region that all graphs of a
file share; a timing model's are all the same stretch of zeros.
Source of the format: ``runtime_schema.fbs`` of ExecuTorch's XNNPACK backend, version 1.5.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from search_server.model_files.flat_tables import Member, Schema, Table, flat_bytes
from search_server.model_files.folding import Array, FoldedWeights, Step, gate_steps, steps
from shared.operators import (
    Activation,
    ChannelShuffle,
    Conv2d,
    GlobalAvgPool,
    HSigmoid,
    HSwish,
    Linear,
    ReLU,
    ReLU6,
    Shape,
    SqueezeExcite,
)
from shared.workload import Segment

_SCHEMA = Schema.of(
    XNNGraph="version:text xnodes:[table] xvalues:[table] num_externs:Uint32 input_ids:[Uint32] "
    "output_ids:[Uint32] constant_buffer:[table] mem_buffer_sizes:[Uint32] constant_data:[table]",
    ConstantDataOffset="offset:Uint64 size:Uint64 named_key:text",
    XNode="node:union debug_handle:Uint32 output_min_max:table",
    OutputMinMax="output_min:Float32 output_max:Float32",
    XValue="value:union",
    XNNTensorValue="datatype:Int16 num_dims:Uint32 dims:[Uint32] constant_buffer_idx:Uint32 "
    "external_id:Uint32 flags:Uint32 id_out:Uint32 dq_datatype:Int16",
    Convolution="padding_top:Uint32 padding_right:Uint32 padding_bottom:Uint32 padding_left:Uint32 "
    "kernel_height:Uint32 kernel_width:Uint32 subsampling_height:Uint32 subsampling_width:Uint32 "
    "dilation_height:Uint32 dilation_width:Uint32 group_input_channels:Uint32 group_output_channels:Uint32 "
    "groups:Uint32 adjustment_height:Uint32 adjustment_width:Uint32 input1_id:Uint32 filter_id:Uint32 "
    "bias_id:Uint32 output_id:Uint32 flags:Uint32",
    FullyConnected="input1_id:Uint32 filter_id:Uint32 bias_id:Uint32 output_id:Uint32 flags:Uint32",
    OneInput="input_id:Uint32 output_id:Uint32 flags:Uint32",
    TwoInputs="input1_id:Uint32 input2_id:Uint32 output_id:Uint32 flags:Uint32",
    Transpose="num_dims:Uint32 perm:[Uint32] input_id:Uint32 output_id:Uint32 flags:Uint32",
    Reshape="num_dims:Uint32 new_shape:[Uint32] input_id:Uint32 output_id:Uint32 flags:Uint32",
)
_IDENTIFIER = b"XN01"

_ADD, _FULLY_CONNECTED, _TRANSPOSE, _CLAMP, _CONVOLUTION = 1, 2, 5, 6, 7
_DEPTHWISE_CONVOLUTION, _MULTIPLY, _GLOBAL_AVERAGE, _RESHAPE, _HARD_SWISH = 13, 15, 19, 20, 24
"""Numbers of the nodes in the format's union."""

_FP32 = 1
_INTERNAL = 0xFFFFFFFF
_EXTERNAL_INPUT, _EXTERNAL_OUTPUT = 1, 2
_KEEP_DIMS = 0x40
_ALIGNMENT = 64


class Constants:
    """Kernels and biases of all graphs of a file, each stored once; without weights they are zeros."""

    def __init__(self, weights: FoldedWeights | None) -> None:
        self.weights = weights
        self._parts: list[bytes] = []
        self._places: dict[bytes, int] = {}
        self._size = 0

    def place(self, shape: tuple[int, ...], content: Array | None) -> tuple[int, int]:
        """Store a constant and return offset and size in bytes; None means zeros."""
        num_bytes = math.prod(shape) * 4
        if content is None:
            self._size = max(self._size, num_bytes)
            return 0, num_bytes
        data = np.ascontiguousarray(content, np.float32).tobytes()
        if data not in self._places:
            self._places[data] = self._size
            self._parts.append(data + bytes(-num_bytes % _ALIGNMENT))
            self._size += len(self._parts[-1])
        return self._places[data], num_bytes

    def region(self) -> bytes:
        """Return the bytes into which offsets point, once all graphs are written."""
        return b"".join(self._parts) if self._parts else bytes(self._size)


class XnnpackGraph:
    """One graph, written when it is made."""

    def __init__(self, chain: Sequence[tuple[Segment, Shape]], batch: int, constants: Constants) -> None:
        self._batch = batch
        self._constants = constants
        self._values: list[dict[str, Any]] = []
        self._nodes: list[Table] = []
        self._constant_data = [Table("ConstantDataOffset", {})]  # number 0 means: not constant
        shape = chain[0][1]
        self.input_dims = self._dims(shape)
        tensor = self._add_value(self.input_dims)
        for segment, entry_shape in chain:
            tensor, shape = self._add_segment(segment, tensor, entry_shape)
        self.output_dims = self._dims(shape)
        self._values[0] |= {"external_id": 0, "flags": _EXTERNAL_INPUT}
        self._values[tensor] |= {"external_id": 1, "flags": _EXTERNAL_OUTPUT}
        self._output = tensor

    def tables(self) -> bytes:
        """Return the graph without its constants."""
        values = [
            Table("XValue", {"value": Member(1, Table("XNNTensorValue", value))}) for value in self._values
        ]
        fields = {
            "version": "0",
            "xnodes": self._nodes,
            "xvalues": values,
            "num_externs": 2,
            "input_ids": [0],
            "output_ids": [self._output],
            "constant_data": self._constant_data,
        }
        return flat_bytes(_SCHEMA, Table("XNNGraph", fields), _IDENTIFIER)

    def _dims(self, shape: Shape) -> tuple[int, ...]:
        channels, height, width = shape
        return (self._batch, height, width, channels)

    def _add_segment(self, segment: Segment, tensor: int, shape: Shape) -> tuple[int, Shape]:
        entry = tensor
        for step in steps(segment):
            tensor, shape = self._add_step(segment.name, step, tensor, shape)
        if segment.residual:
            inputs = {"input1_id": tensor, "input2_id": entry}
            tensor = self._add_node(_ADD, "TwoInputs", inputs, self._dims(shape))
        return tensor, shape

    def _add_step(self, segment: str, step: Step, tensor: int, shape: Shape) -> tuple[int, Shape]:
        """Append a step and return the number of its output and the shape of that."""
        output_shape = step.operator.output_shape(shape)
        return self._add_operator(segment, step, tensor, shape, self._dims(output_shape)), output_shape

    def _add_operator(
        self, segment: str, step: Step, tensor: int, shape: Shape, dims: tuple[int, ...]
    ) -> int:
        weights = self._constants.weights
        kernel = bias = None
        if weights is not None and isinstance(step.operator, Conv2d | Linear):
            kernel, bias = weights.of(segment, step)
        match step.operator:
            case Conv2d() as conv:
                return self._add_convolution(conv, tensor, dims, kernel, bias, step.activation)
            case Linear() as linear:
                fields = {
                    "input1_id": tensor,
                    "filter_id": self._add_constant((linear.out_features, linear.in_features), kernel),
                    "bias_id": self._add_constant((linear.out_features,), bias),
                }
                return self._add_node(_FULLY_CONNECTED, "FullyConnected", fields, dims, step.activation)
            case ReLU() | ReLU6() as clamp:
                return self._add_node(_CLAMP, "OneInput", {"input_id": tensor}, dims, clamp)
            case HSwish():
                return self._add_node(_HARD_SWISH, "OneInput", {"input_id": tensor}, dims)
            case HSigmoid():
                return self._add_h_sigmoid(tensor, dims)
            case SqueezeExcite():
                gate, gate_shape = tensor, shape
                for inner in gate_steps(step):
                    gate, gate_shape = self._add_step(segment, inner, gate, gate_shape)
                fields = {"input1_id": tensor, "input2_id": gate}
                return self._add_node(_MULTIPLY, "TwoInputs", fields, dims)
            case GlobalAvgPool():
                fields = {"input_id": tensor, "flags": _KEEP_DIMS}
                return self._add_node(_GLOBAL_AVERAGE, "OneInput", fields, dims)
            case ChannelShuffle(groups=groups):
                return self._add_shuffle(groups, tensor, dims)

    def _add_convolution(
        self,
        conv: Conv2d,
        tensor: int,
        dims: tuple[int, ...],
        kernel: Array | None,
        bias: Array | None,
        contained: Activation | None,
    ) -> int:
        is_depthwise = conv.groups == conv.in_channels and conv.groups > 1
        size, group_in = conv.kernel_size, conv.in_channels // conv.groups
        order = (1, 2, 3, 0) if is_depthwise else (0, 2, 3, 1)
        outer, inner = (1, conv.out_channels) if is_depthwise else (conv.out_channels, group_in)
        kernel = kernel.transpose(order) if kernel is not None else None
        fields = {
            **{f"padding_{side}": size // 2 for side in ("top", "right", "bottom", "left")},
            **{f"kernel_{side}": size for side in ("height", "width")},
            **{f"subsampling_{side}": conv.stride for side in ("height", "width")},
            **{f"dilation_{side}": 1 for side in ("height", "width")},
            "group_input_channels": group_in,
            "group_output_channels": conv.out_channels // conv.groups,
            "groups": conv.groups,
            "input1_id": tensor,
            "filter_id": self._add_constant((outer, size, size, inner), kernel),
            "bias_id": self._add_constant((conv.out_channels,), bias),
        }
        number = _DEPTHWISE_CONVOLUTION if is_depthwise else _CONVOLUTION
        return self._add_node(number, "Convolution", fields, dims, contained)

    def _add_h_sigmoid(self, tensor: int, dims: tuple[int, ...]) -> int:
        """Append x / 6 + 1 / 2, held to 0..1, as a convolution of each channel by itself.

        A sum with a constant of one number ends the process in ExecuTorch 1.5.
        """
        channels = dims[-1]
        kernel = bias = None
        if self._constants.weights is not None:
            kernel = np.full((channels, 1, 1, 1), 1 / 6, np.float32)
            bias = np.full((channels,), 0.5, np.float32)
        conv = Conv2d(channels, channels, 1, groups=channels)
        return self._add_convolution(conv, tensor, dims, kernel, bias, HSigmoid())

    def _add_shuffle(self, groups: int, tensor: int, dims: tuple[int, ...]) -> int:
        *maps, channels = dims
        split, joined = (*maps, groups, channels // groups), (*maps, channels // groups, groups)
        fields = {"num_dims": 5, "new_shape": split, "input_id": tensor}
        tensor = self._add_node(_RESHAPE, "Reshape", fields, split)
        fields = {"num_dims": 5, "perm": (0, 1, 2, 4, 3), "input_id": tensor}
        tensor = self._add_node(_TRANSPOSE, "Transpose", fields, joined)
        fields = {"num_dims": 4, "new_shape": dims, "input_id": tensor}
        return self._add_node(_RESHAPE, "Reshape", fields, dims)

    def _add_node(
        self,
        number: int,
        kind: str,
        fields: dict[str, Any],
        dims: tuple[int, ...],
        contained: Activation | None = None,
    ) -> int:
        """Append a node and return the number of its output."""
        output = self._add_value(dims)
        node: dict[str, Any] = {"node": Member(number, Table(kind, fields | {"output_id": output}))}
        if contained is not None:
            largest = {"relu6": 6.0, "h_sigmoid": 1.0}.get(contained.kind, math.inf)
            node["output_min_max"] = Table("OutputMinMax", {"output_min": 0.0, "output_max": largest})
        self._nodes.append(Table("XNode", node))
        return output

    def _add_constant(self, shape: tuple[int, ...], content: Array | None) -> int:
        offset, size = self._constants.place(shape, content)
        self._constant_data.append(Table("ConstantDataOffset", {"offset": offset, "size": size}))
        return self._add_value(shape, constant_buffer_idx=len(self._constant_data) - 1)

    def _add_value(self, dims: tuple[int, ...], **fields: int) -> int:
        number = len(self._values)
        value = {"datatype": _FP32, "num_dims": len(dims), "dims": dims, "id_out": number}
        self._values.append({**value, "external_id": _INTERNAL, **fields})
        return number
