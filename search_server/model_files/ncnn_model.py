"""Workload -> ncnn: the text of a ``.param`` file, which lists layers and the blobs between them.

A layer is called ``<segment>/<operator index>/<kind>`` and so is its output, but the last output of a
segment is called by the segment's name alone: a runtime stamps the time when that blob is there.
Source of the format: ncnn's documentation of its operators and of its param files.
"""

import numpy as np

from search_server.model_files.folding import FoldedWeights, Step, steps
from shared.operators import ChannelShuffle, Conv2d, GlobalAvgPool, Linear, ReLU
from shared.workload import Segment, Workload

_MAGIC = 7767517
_RELU = 1


def ncnn_param(workload: Workload) -> str:
    """Return the text of the ``.param`` file: input ``images``, output ``logits``."""
    channels, height, width = workload.input_shape
    graph = _Graph()
    tensor = graph.add("Input", "images", [], ["images"], {0: width, 1: height, 2: channels})
    for segment in workload.segments:
        if segment.operators:
            tensor = graph.add_segment(segment, tensor)
    graph.add("Flatten", "logits", [tensor], ["logits"], {})
    return "\n".join([str(_MAGIC), f"{len(graph.lines)} {graph.num_blobs}", *graph.lines]) + "\n"


def ncnn_weights(workload: Workload, weights: FoldedWeights) -> bytes:
    """Return the ``.bin`` file that belongs to the ``.param`` file when a trained network is delivered.

    Raises:
        ValueError: an array is missing or has another shape than its operator.
    """
    parts: list[bytes] = []
    for segment in workload.segments:
        for step in steps(segment):
            if isinstance(step.operator, Conv2d | Linear):
                kernel, bias = weights.of(segment.name, step)
                stored_as_fp32 = np.zeros(1, np.uint32)
                parts += [stored_as_fp32.tobytes(), kernel.tobytes(), bias.tobytes()]
    return b"".join(parts)


class _Graph:
    """Lines of a param file that grows layer by layer."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.num_blobs = 0

    def add(
        self, kind: str, name: str, inputs: list[str], outputs: list[str], parameters: dict[int, int]
    ) -> str:
        """Append a layer and return its first output."""
        values = (f"{key}={value}" for key, value in parameters.items())
        counts = (str(len(inputs)), str(len(outputs)))
        self.lines.append(" ".join((kind, name, *counts, *inputs, *outputs, *values)))
        self.num_blobs += len(outputs)
        return outputs[0]

    def add_segment(self, segment: Segment, tensor: str) -> str:
        entry = f"{segment.name}/entry"
        if segment.residual:
            tensor = self.add("Split", f"{segment.name}/split", [tensor], [f"{segment.name}/in", entry], {})
        planned = list(steps(segment))
        for step in planned:
            is_last = step is planned[-1] and not segment.residual
            output = segment.name if is_last else step.name(segment.name)
            tensor = self._add_step(step, step.name(segment.name), tensor, output)
        if segment.residual:
            tensor = self.add("BinaryOp", f"{segment.name}/add", [tensor, entry], [segment.name], {0: 0})
        return tensor

    def _add_step(self, step: Step, name: str, tensor: str, output: str) -> str:
        match step.operator:
            case Conv2d() as conv:
                parameters = {
                    0: conv.out_channels,
                    1: conv.kernel_size,
                    3: conv.stride,
                    4: conv.kernel_size // 2,
                    5: 1,
                    6: conv.num_params,
                }
                kind = "Convolution"
                if conv.groups > 1:
                    kind = "ConvolutionDepthWise"
                    parameters[7] = conv.groups
                return self.add(kind, name, [tensor], [output], parameters | _activation(step))
            case ReLU():
                return self.add("ReLU", name, [tensor], [output], {})
            case ChannelShuffle(groups=groups):
                return self.add("ShuffleChannel", name, [tensor], [output], {0: groups})
            case GlobalAvgPool():
                return self.add("Pooling", name, [tensor], [output], {0: 1, 4: 1})
            case Linear() as linear:
                parameters = {
                    0: linear.out_features,
                    1: 1,
                    2: linear.in_features * linear.out_features,
                }
                return self.add("InnerProduct", name, [tensor], [output], parameters | _activation(step))


def _activation(step: Step) -> dict[int, int]:
    return {9: _RELU} if step.has_relu else {}
