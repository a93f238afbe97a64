"""Operators -> nodes and initializers of an ONNX graph that grows segment by segment."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from search_server.model_files.folding import Array, FoldedWeights
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
from shared.workload import Segment

_FILL_STEP = 2.0**-20
"""No two kernels may be filled with the same number: the runtime would keep equal ones once, in memory and
in the caches, and run faster than with trained weights. Several hundred such steps change no magnitude."""


class Graph:
    """Nodes and initializers of a model that grows operator by operator."""

    def __init__(self, weights: FoldedWeights | None) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._num_fills = 0

    def add(self, op_type: str, name: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op_type, inputs, [output], name=name, **attributes))
        return output

    def finish(self, tensor: str, segment: str, is_flat: bool) -> None:
        """Call the last tensor ``logits``, flattened to (batch, features) if it is not."""
        if is_flat:
            self.nodes[-1].output[0] = "logits"
        else:
            self.add("Flatten", f"{segment}/flatten", [tensor], "logits", axis=1)

    def add_segment(self, segment: Segment, shape: Shape, tensor: str, batch: int) -> str:
        entry = tensor
        for index, operator in enumerate(segment.operators):
            following = segment.operators[index + 1 : index + 2]
            norm = following[0] if following and isinstance(following[0], BatchNorm2d) else None
            tensor = self._add_operator(segment.name, index, operator, norm, shape, tensor, batch)
            shape = operator.output_shape(shape)
            if not any(isinstance(after, BatchNorm2d | ReLU) for after in following):
                name = f"{segment.name}/{index}/{operator.kind}"
                tensor = self.between(name, tensor, is_positive=isinstance(operator, ReLU | ChannelShuffle))
        if segment.residual:
            name = f"{segment.name}/add"
            tensor = self.add("Add", name, [tensor, entry], f"{name}/out")
            tensor = self.between(name, tensor, is_positive=False)
        return tensor

    def between(self, name: str, tensor: str, is_positive: bool) -> str:
        """Return the tensor as the next operator takes it."""
        return tensor

    def _add_operator(
        self,
        segment: str,
        index: int,
        operator: Operator,
        norm: BatchNorm2d | None,
        shape: Shape,
        tensor: str,
        batch: int,
    ) -> str:
        name = f"{segment}/{index}/{operator.kind}"
        match operator:
            case Conv2d():
                kernel, bias = self._convolution(
                    f"{segment}.{index}", operator, f"{segment}.{index + 1}" if norm else None
                )
                pad = operator.kernel_size // 2
                return self.add(
                    "Conv",
                    name,
                    [tensor, kernel, bias],
                    f"{name}/out",
                    kernel_shape=[operator.kernel_size] * 2,
                    strides=[operator.stride] * 2,
                    pads=[pad] * 4,
                    group=operator.groups,
                )
            case BatchNorm2d():
                return tensor
            case ReLU():
                return self.add("Relu", name, [tensor], f"{name}/out")
            case ChannelShuffle():
                return self._shuffle(name, operator.groups, shape, tensor, batch)
            case GlobalAvgPool():
                return self.add("GlobalAveragePool", name, [tensor], f"{name}/out")
            case Linear():
                kernel, bias = self._linear(f"{segment}.{index}", operator)
                flat = self.add("Flatten", f"{name}/flatten", [tensor], f"{name}/flat", axis=1)
                flat = self.between(f"{name}/flatten", flat, is_positive=False)
                return self.add("Gemm", name, [flat, kernel, bias], f"{name}/out", transB=1)

    def _shuffle(self, name: str, groups: int, shape: Shape, tensor: str, batch: int) -> str:
        channels, height, width = shape
        split = self._initializer(
            f"{name}/split", np.array([batch, groups, channels // groups, height, width], np.int64)
        )
        joined = self._initializer(f"{name}/joined", np.array([batch, channels, height, width], np.int64))
        tensor = self.add("Reshape", f"{name}/reshape_in", [tensor, split], f"{name}/grouped")
        tensor = self.between(f"{name}/reshape_in", tensor, is_positive=True)
        tensor = self.add(
            "Transpose", f"{name}/transpose", [tensor], f"{name}/transposed", perm=[0, 2, 1, 3, 4]
        )
        tensor = self.between(f"{name}/transpose", tensor, is_positive=True)
        return self.add("Reshape", f"{name}/reshape_out", [tensor, joined], f"{name}/out")

    def _convolution(self, name: str, conv: Conv2d, norm: str | None) -> tuple[str, str]:
        if self.weights is None:
            shape = (conv.out_channels, conv.in_channels // conv.groups, *[conv.kernel_size] * 2)
            return self._fill(name, shape), self._zeros(name, conv.out_channels)
        return self._stored(name, *self.weights.convolution(name, conv, norm))

    def _linear(self, name: str, linear: Linear) -> tuple[str, str]:
        if self.weights is None:
            shape = (linear.out_features, linear.in_features)
            return self._fill(name, shape), self._zeros(name, linear.out_features)
        return self._stored(name, *self.weights.linear(name, linear))

    def _stored(self, name: str, kernel: Array, bias: Array) -> tuple[str, str]:
        return self._initializer(f"{name}.weight", kernel), self._initializer(f"{name}.bias", bias)

    def _fill(self, name: str, shape: tuple[int, ...]) -> str:
        unlike = 1 + self._num_fills * _FILL_STEP
        value = helper.make_tensor("value", TensorProto.FLOAT, [1], [unlike / np.prod(shape[1:])])
        return self._filled(f"{name}.weight", shape, value)

    def _filled(self, name: str, shape: tuple[int, ...], value: onnx.TensorProto) -> str:
        self._num_fills += 1
        size = self._initializer(f"{name}.shape", np.array(shape, np.int64))
        return self.add("ConstantOfShape", f"{name}.fill", [size], name, value=value)

    def _zeros(self, name: str, size: int) -> str:
        return self._initializer(f"{name}.bias", np.zeros(size, np.float32))

    def _initializer(self, name: str, array: NDArray[np.generic]) -> str:
        self.initializers.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name
