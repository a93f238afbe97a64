"""Steps -> nodes and initializers of an ONNX graph that grows segment by segment."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from search_server.model_files.folding import FoldedWeights, Step, gate_steps, steps
from shared.normalisation import OFFSET
from shared.operators import (
    Activation,
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
from shared.workload import Segment

_FILL_STEP = 2.0**-20
"""No two kernels may be filled with the same number: the runtime would keep equal ones once, in memory and
in the caches, and run faster than with trained weights. Several hundred such steps change no magnitude."""


class Graph:
    """Nodes and initializers of a model that grows step by step."""

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

    def add_images(self, segment: str) -> str:
        """Let the graph take images as bytes, and return them without their mean."""
        mean = self._initializer("mean", np.array(OFFSET, np.float32))
        cast = self.add("Cast", f"{segment}/cast", ["images"], "images/float", to=TensorProto.FLOAT)
        return self.add("Sub", f"{segment}/subtract_mean", [cast, mean], "images/centred")

    def add_segment(self, segment: Segment, shape: Shape, tensor: str, batch: int) -> str:
        entry = tensor
        for step in steps(segment):
            tensor = self._add_step(segment.name, step, shape, tensor, batch)
            shape = step.operator.output_shape(shape)
        if segment.residual:
            name = f"{segment.name}/add"
            tensor = self.add("Add", name, [tensor, entry], f"{name}/out")
            tensor = self.between(name, tensor, None)
        return tensor

    def between(self, name: str, tensor: str, source: Operator | None) -> str:
        """Return the tensor as the next operator takes it.

        Args:
            name: of the node that computes it.
            tensor: its name.
            source: the operator that it comes from, as far as it limits the numbers.
        """
        return tensor

    def _add_step(self, segment: str, step: Step, shape: Shape, tensor: str, batch: int) -> str:
        name, source = step.name(segment), step.operator
        tensor = self._add_operator(segment, step, shape, tensor, batch)
        if step.activation is not None:
            name, source = step.activation_name(segment), step.activation
            tensor = self._activate(name, source, tensor)
        return self.between(name, tensor, source)

    def _activate(self, name: str, activation: Activation, tensor: str) -> str:
        match activation:
            case ReLU():
                return self.add("Relu", name, [tensor], f"{name}/out")
            case ReLU6():
                ends = [
                    self._initializer(f"{name}/{end}", np.array(value, np.float32))
                    for end, value in (("min", 0), ("max", 6))
                ]
                return self.add("Clip", name, [tensor, *ends], f"{name}/out")
            case HSigmoid():
                return self.add("HardSigmoid", name, [tensor], f"{name}/out", alpha=1 / 6, beta=0.5)
            case HSwish():
                # HardSwish is a function that the runtime takes apart into just these two nodes, under
                # names that tell no segment.
                gate = self._activate(f"{name}/gate", HSigmoid(), tensor)
                gate = self.between(f"{name}/gate", gate, HSigmoid())
                return self.add("Mul", name, [tensor, gate], f"{name}/out")

    def _add_operator(self, segment: str, step: Step, shape: Shape, tensor: str, batch: int) -> str:
        name = step.name(segment)
        match step.operator:
            case Conv2d() as conv:
                kernel, bias = self._constants(segment, step)
                return self.add(
                    "Conv",
                    name,
                    [tensor, kernel, bias],
                    f"{name}/out",
                    kernel_shape=[conv.kernel_size] * 2,
                    strides=[conv.stride] * 2,
                    pads=[conv.kernel_size // 2] * 4,
                    group=conv.groups,
                )
            case ReLU() | ReLU6() | HSigmoid() | HSwish() as activation:
                return self._activate(name, activation, tensor)
            case ChannelShuffle(groups=groups):
                return self._shuffle(name, groups, shape, tensor, batch)
            case SqueezeExcite():
                gate = tensor
                for inner in gate_steps(step):
                    gate = self._add_step(segment, inner, shape, gate, batch)
                return self.add("Mul", name, [tensor, gate], f"{name}/out")
            case GlobalAvgPool():
                return self.add("GlobalAveragePool", name, [tensor], f"{name}/out")
            case Linear():
                kernel, bias = self._constants(segment, step)
                flat = self.add("Flatten", f"{name}/flatten", [tensor], f"{name}/flat", axis=1)
                flat = self.between(f"{name}/flatten", flat, None)
                return self.add("Gemm", name, [flat, kernel, bias], f"{name}/out", transB=1)

    def _shuffle(self, name: str, groups: int, shape: Shape, tensor: str, batch: int) -> str:
        channels, height, width = shape
        split = self._initializer(
            f"{name}/split", np.array([batch, groups, channels // groups, height, width], np.int64)
        )
        joined = self._initializer(f"{name}/joined", np.array([batch, channels, height, width], np.int64))
        tensor = self.add("Reshape", f"{name}/reshape_in", [tensor, split], f"{name}/grouped")
        tensor = self.between(f"{name}/reshape_in", tensor, ChannelShuffle(groups))
        tensor = self.add(
            "Transpose", f"{name}/transpose", [tensor], f"{name}/transposed", perm=[0, 2, 1, 3, 4]
        )
        tensor = self.between(f"{name}/transpose", tensor, ChannelShuffle(groups))
        return self.add("Reshape", f"{name}/reshape_out", [tensor, joined], f"{name}/out")

    def _constants(self, segment: str, step: Step) -> tuple[str, str]:
        """Add kernel and bias of a convolution or a linear layer and return their names."""
        name = step.parameters(segment)
        if self.weights is None:
            return self._fill(name, step.kernel_shape)
        kernel, bias = self.weights.of(segment, step)
        return self._initializer(f"{name}.weight", kernel), self._initializer(f"{name}.bias", bias)

    def _fill(self, name: str, shape: tuple[int, ...]) -> tuple[str, str]:
        """Add a kernel and a bias for timing and return their names."""
        unlike = 1 + self._num_fills * _FILL_STEP
        value = helper.make_tensor("value", TensorProto.FLOAT, [1], [unlike / np.prod(shape[1:])])
        kernel = self._filled(f"{name}.weight", shape, value)
        return kernel, self._initializer(f"{name}.bias", np.zeros(shape[0], np.float32))

    def _filled(self, name: str, shape: tuple[int, ...], value: onnx.TensorProto) -> str:
        self._num_fills += 1
        size = self._initializer(f"{name}.shape", np.array(shape, np.int64))
        return self.add("ConstantOfShape", f"{name}.fill", [size], name, value=value)

    def _initializer(self, name: str, array: NDArray[np.generic]) -> str:
        self.initializers.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name
