"""The int8 form of an ONNX timing model: quantise and dequantise nodes around every operator.

This is what static quantisation (QDQ, uint8 activations, int8 kernels a scale per channel) gives, with
scales chosen beforehand: no time depends on them, so no images are needed. The runtime fuses each
operator with the nodes around it into one integer kernel.
"""

import numpy as np
from onnx import TensorProto, helper

from search_server.model_files.onnx_graph import Graph
from shared.operators import ChannelShuffle, HSigmoid, Operator, ReLU, ReLU6

_ACTIVATION_SCALE = 0.05
_LARGEST = {ReLU6: 6.0, HSigmoid: 1.0}
"""What ends at a known number has the scale that reaches it, so that the runtime drops the end itself."""
_KERNEL_SCALE = 0.01
_NUM_KERNEL_VALUES = 127
"""Kernels are filled with 1, 2, ..., 127 in turn: the runtime would keep equal kernels once."""


class QuantisedGraph(Graph):
    """A graph whose tensors pass through uint8 between operators; its weights are constants."""

    def between(self, name: str, tensor: str, source: Operator | None) -> str:
        is_positive = isinstance(source, ReLU | ReLU6 | HSigmoid | ChannelShuffle)
        step = _LARGEST[type(source)] / 255 if type(source) in _LARGEST else _ACTIVATION_SCALE
        scale = self._initializer(f"{name}/scale", np.array(step, np.float32))
        zero = self._initializer(f"{name}/zero", np.array(0 if is_positive else 128, np.uint8))
        stored = self.add("QuantizeLinear", f"{name}/quantize", [tensor, scale, zero], f"{name}/uint8")
        return self.add("DequantizeLinear", f"{name}/dequantize", [stored, scale, zero], f"{name}/float")

    def _fill(self, name: str, shape: tuple[int, ...]) -> tuple[str, str]:
        number = 1 + self._num_fills % _NUM_KERNEL_VALUES
        value = helper.make_tensor("value", TensorProto.INT8, [1], [number])
        kernel = self._filled(f"{name}.int8", shape, value)
        channels = shape[0]
        kernel_scale = self._initializer(f"{name}.scale", np.full(channels, _KERNEL_SCALE, np.float32))
        kernel_zero = self._initializer(f"{name}.zero", np.zeros(channels, np.int8))
        weight = self.add(
            "DequantizeLinear",
            f"{name}.fp32",
            [kernel, kernel_scale, kernel_zero],
            f"{name}.weight",
            axis=0,
        )
        scale = np.full(channels, _ACTIVATION_SCALE * _KERNEL_SCALE, np.float32)
        bias = self.add(
            "DequantizeLinear",
            f"{name}.bias.fp32",
            [
                self._initializer(f"{name}.bias.int32", np.full(channels, self._num_fills, np.int32)),
                self._initializer(f"{name}.bias.scale", scale),
                self._initializer(f"{name}.bias.zero", np.zeros(channels, np.int32)),
            ],
            f"{name}.bias",
            axis=0,
        )
        return weight, bias
