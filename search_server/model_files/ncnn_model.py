"""Workload -> ncnn: the text of a ``.param`` file, which lists layers and the blobs between them.

A layer is called ``<segment>/<operator index>/<kind>`` and so is its output, but the last output of a
segment is called by the segment's name alone: a runtime stamps the time when that blob is there. A network
of images takes them 0..255 and subtracts their mean, whether it is timed or delivered.
Source of the format: ncnn's documentation of its operators and of its param files.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from search_server.model_files.folding import CONTAINED, FoldedWeights, Step, gate_steps, steps
from shared.normalisation import OFFSET
from shared.operators import (
    ChannelShuffle,
    Conv2d,
    GlobalAvgPool,
    HSigmoid,
    HSwish,
    Linear,
    ReLU,
    ReLU6,
    SqueezeExcite,
)
from shared.workload import Segment, Workload

_MAGIC = 7767517
_RELU, _CLIP, _HARD_SWISH = 1, 3, 6
"""Numbers of the activations that a layer contains."""
_CONTAINED = (*CONTAINED, HSwish)
_SIXTH = 1 / 6
_ADD, _SUBTRACT, _MULTIPLY = 0, 1, 2
"""Numbers of what a BinaryOp computes."""


def ncnn_param(workload: Workload) -> str:
    """Return the text of the ``.param`` file: input ``images``, output ``logits``."""
    channels, height, width = workload.input_shape
    graph = _Graph()
    tensor = graph.add("Input", "images", [], ["images"], {0: width, 1: height, 2: channels})
    if workload.takes_images:
        # As a blob and not as a number: what subtracts a number works in place, and ncnn crashes where that
        # is the first layer and the image lies in memory that is not ncnn's own, such as numpy's.
        mean = graph.add("MemoryData", "images/mean", [], ["images/mean"], {0: 1})
        tensor = graph.add("BinaryOp", "images/centre", [tensor, mean], ["images/centred"], {0: _SUBTRACT})
    for segment in workload.segments:
        if segment.operators:
            tensor = graph.add_segment(segment, tensor)
    graph.add("Flatten", "logits", [tensor], ["logits"], {})
    return "\n".join([str(_MAGIC), f"{len(graph.lines)} {graph.num_blobs}", *graph.lines]) + "\n"


def ncnn_weights(workload: Workload, weights: FoldedWeights) -> bytes:
    """Return the ``.bin`` file that belongs to the ``.param`` file when a trained network is delivered.

    The first convolution of a network of images takes ``image - OFFSET``.

    Raises:
        ValueError: an array is missing or has another shape than its operator.
    """
    parts = [np.float32(OFFSET).tobytes()] if workload.takes_images else []
    for segment in workload.segments:
        for step in _with_gates(segment):
            if isinstance(step.operator, Conv2d | Linear):
                kernel, bias = weights.of(segment.name, step)
                stored_as_fp32 = np.zeros(1, np.uint32)
                parts += [stored_as_fp32.tobytes(), kernel.tobytes(), bias.tobytes()]
    return b"".join(parts)


def _with_gates(segment: Segment) -> Iterator[Step]:
    """Yield all steps that have a layer of their own with weights, in the order of the layers."""
    for step in steps(segment, _CONTAINED):
        yield from gate_steps(step) if isinstance(step.operator, SqueezeExcite) else (step,)


class _Graph:
    """Lines of a param file that grows layer by layer."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.num_blobs = 0
        self._vectors: set[str] = set()
        """Blobs of one dimension: what pooling and inner products give."""

    def add(
        self,
        kind: str,
        name: str,
        inputs: list[str],
        outputs: list[str],
        parameters: Mapping[int, float | list[float]],
    ) -> str:
        """Append a layer and return its first output."""
        values = (_parameter(key, value) for key, value in parameters.items())
        counts = (str(len(inputs)), str(len(outputs)))
        self.lines.append(" ".join((kind, name, *counts, *inputs, *outputs, *values)))
        self.num_blobs += len(outputs)
        return outputs[0]

    def add_segment(self, segment: Segment, tensor: str) -> str:
        entry = f"{segment.name}/entry"
        if segment.residual:
            tensor = self.add("Split", f"{segment.name}/split", [tensor], [f"{segment.name}/in", entry], {})
        planned = list(steps(segment, _CONTAINED))
        for step in planned:
            is_last = step is planned[-1] and not segment.residual
            output = segment.name if is_last else step.name(segment.name)
            tensor = self._add_step(step, segment.name, tensor, output)
        if segment.residual:
            tensor = self.add("BinaryOp", f"{segment.name}/add", [tensor, entry], [segment.name], {0: _ADD})
        return tensor

    def _add_step(self, step: Step, segment: str, tensor: str, output: str) -> str:
        name = step.name(segment)
        if isinstance(step.operator, GlobalAvgPool | Linear) or tensor in self._vectors:
            self._vectors.add(output)
        match step.operator:
            case Conv2d(groups=1) as conv if tensor in self._vectors:
                return self._add_product(step, conv.in_channels, conv.out_channels, tensor, output, name)
            case Conv2d() as conv:
                parameters: dict[int, float | list[float]] = {
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
            case ReLU6():
                return self.add("Clip", name, [tensor], [output], {0: 0.0, 1: 6.0})
            case HSigmoid():
                return self.add("HardSigmoid", name, [tensor], [output], {0: _SIXTH, 1: 0.5})
            case HSwish():
                return self.add("HardSwish", name, [tensor], [output], {0: _SIXTH, 1: 0.5})
            case SqueezeExcite():
                return self._add_squeeze(step, segment, tensor, output)
            case ChannelShuffle(groups=groups):
                return self.add("ShuffleChannel", name, [tensor], [output], {0: groups})
            case GlobalAvgPool():
                return self.add("Pooling", name, [tensor], [output], {0: 1, 4: 1})
            case Linear() as linear:
                return self._add_product(
                    step, linear.in_features, linear.out_features, tensor, output, name
                )

    def _add_product(
        self, step: Step, inputs: int, outputs: int, tensor: str, output: str, name: str
    ) -> str:
        parameters: dict[int, float | list[float]] = {0: outputs, 1: 1, 2: inputs * outputs}
        return self.add("InnerProduct", name, [tensor], [output], parameters | _activation(step))

    def _add_squeeze(self, step: Step, segment: str, tensor: str, output: str) -> str:
        name = step.name(segment)
        whole = f"{name}/whole"
        gate = self.add("Split", f"{name}/split", [tensor], [f"{name}/in", whole], {})
        for inner in gate_steps(step):
            gate = self._add_step(inner, segment, gate, inner.name(segment))
        return self.add("BinaryOp", name, [whole, gate], [output], {0: _MULTIPLY})


def _activation(step: Step) -> dict[int, float | list[float]]:
    match step.activation:
        case ReLU():
            return {9: _RELU}
        case ReLU6():
            return {9: _CLIP, 10: [0.0, 6.0]}
        case HSwish():
            return {9: _HARD_SWISH, 10: [_SIXTH, 0.5]}
    return {}


def _parameter(key: int, value: float | list[float]) -> str:
    """Return a parameter as a param file has it; arrays have keys of their own, and their length first."""
    if isinstance(value, list):
        return f"{-23300 - key}={len(value)},{','.join(f'{number:.8e}' for number in value)}"
    return f"{key}={value}" if isinstance(value, int) else f"{key}={value:.8e}"
