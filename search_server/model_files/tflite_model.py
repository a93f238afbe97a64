"""Workload -> LiteRT (TensorFlow Lite) model, channels last, batch norms folded, ReLUs and ReLU6s fused.

The file holds the network and, as further subgraphs over the same weights, each segment by itself: a
runtime that has no node profile runs these one after another and stamps the time between them. A grouped
convolution is a CONV_2D whose kernel has fewer input channels than its input. A strided convolution pads
by itself only where the format's rule is also that of ``shared/operators.py``; elsewhere a PAD goes
before it, which XNNPACK fuses. The format has no h-sigmoid: it is an addition that ends at 0 and 6, and a
product. A network of images in fp32 subtracts their mean first, whether it is timed or delivered; an int8
file, which is timed only, takes images that somebody else has quantised.
"""

from collections.abc import Mapping

import numpy as np

from search_server.model_files.folding import Array, FoldedWeights, Step, gate_steps, steps
from search_server.model_files.tflite_file import Subgraph, Tensor, TensorType, file_bytes
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
    Shape,
    SqueezeExcite,
)
from shared.workload import Segment, Workload

NETWORK = "network"
"""Signature of the whole network; the others are called by their segment."""

_NO_ACTIVATION, _RELU, _RELU6 = 0, 1, 3
_SAME, _VALID = 0, 1
"""Numbers of the format: activations that an operator contains, and paddings."""

_ACTIVATION_SCALE = 1 / 16
_KERNEL_SCALE = 1 / 128
"""Of int8 timing models: no number depends on them, and no time."""


def tflite_bytes(
    workload: Workload,
    weights: Mapping[str, Array] | None = None,
    batch: int = 1,
    dtype: str = "fp32",
) -> bytes:
    """Return a model with signatures for the network and each segment: ``input`` and ``output`` NHWC.

    Args:
        workload: the network.
        weights: of a trained network that goes to a device in this format, one array per parameter as in
            ``FoldedWeights``; None makes all of them zero, for timing. The first convolution takes
            ``image - OFFSET``.
        batch: images per run.
        dtype: fp32 or int8; int8 models are for timing only.

    Raises:
        ValueError: an array is missing or has another shape than its operator, or weights came with int8.
    """
    if weights is not None and dtype != "fp32":
        raise ValueError(f"a model with weights must be fp32, not {dtype}; quantise it with a converter")
    writer = _Writer(FoldedWeights(weights) if weights is not None else None, batch, dtype)
    parts = _parts(workload)
    chains = [(NETWORK, parts), *((segment.name, [(segment, shape)]) for segment, shape in parts)]
    centred = (NETWORK, parts[0][0].name) if workload.takes_images and dtype == "fp32" else ()
    return file_bytes([writer.subgraph(name, chain, name in centred) for name, chain in chains])


def tflite_network_bytes(workload: Workload, weights: Mapping[str, Array]) -> bytes:
    """Return the whole network of images alone, fp32, for one image.

    Raises:
        ValueError: an array is missing or has another shape than its operator.
    """
    writer = _Writer(FoldedWeights(weights), 1, "fp32")
    return file_bytes([writer.subgraph(NETWORK, _parts(workload), is_centred=True)])


def _parts(workload: Workload) -> list[tuple[Segment, Shape]]:
    """Return the segments that compute something, each with the shape that it takes."""
    with_shapes = zip(workload.segments, workload.shapes(), strict=False)
    return [(segment, shape) for segment, shape in with_shapes if segment.operators]


class _Writer:
    """Writes segments as operations of subgraphs."""

    def __init__(self, weights: FoldedWeights | None, batch: int, dtype: str) -> None:
        self._weights = weights
        self._batch = batch
        self._type: TensorType = "FLOAT32" if dtype == "fp32" else "INT8"

    def subgraph(self, name: str, chain: list[tuple[Segment, Shape]], is_centred: bool) -> Subgraph:
        graph = Subgraph(name)
        tensor = graph.add_tensor(self._activation("input", chain[0][1]))
        if is_centred:
            subtrahend = Tensor("input/offset", (1,), "FLOAT32", np.array([OFFSET], np.float32))
            centred = self._activation("input/centred", chain[0][1])
            tensor = graph.add("SUB", [tensor, graph.add_tensor(subtrahend)], centred)
        for segment, shape in chain:
            entry = tensor
            for step in steps(segment):
                tensor, shape = self._add_step(graph, segment.name, step, tensor, shape)
            if segment.residual:
                output = self._activation(f"{segment.name}/add", shape)
                tensor = graph.add("ADD", [tensor, entry], output)
        return graph

    def _activation(self, name: str, shape: Shape) -> Tensor:
        channels, height, width = shape
        scales = (_ACTIVATION_SCALE,) if self._type == "INT8" else ()
        return Tensor(name, (self._batch, height, width, channels), self._type, scales=scales)

    def _add_step(
        self, graph: Subgraph, segment: str, step: Step, tensor: int, shape: Shape
    ) -> tuple[int, Shape]:
        """Add a step and return its output and the shape of that."""
        output_shape = step.operator.output_shape(shape)
        output = self._activation(step.name(segment), output_shape)
        return self._add_operator(graph, segment, step, tensor, shape, output), output_shape

    def _add_operator(
        self, graph: Subgraph, segment: str, step: Step, tensor: int, shape: Shape, output: Tensor
    ) -> int:
        name, relu = output.name, _contained(step)
        match step.operator:
            case Conv2d() as conv:
                return self._add_convolution(graph, segment, step, conv, tensor, shape, output, relu)
            case ReLU():
                return graph.add("RELU", [tensor], output)
            case ReLU6():
                return graph.add("RELU6", [tensor], output)
            case HSwish() if self._type == "FLOAT32":
                return graph.add("HARD_SWISH", [tensor], output)
            case HSwish():  # XNNPACK has it in floats only
                gate = self._add_h_sigmoid(graph, tensor, self._activation(f"{name}/gate", shape))
                return graph.add("MUL", [tensor, gate], output)
            case HSigmoid():
                return self._add_h_sigmoid(graph, tensor, output)
            case SqueezeExcite():
                gate, gate_shape = tensor, shape
                for inner in gate_steps(step):
                    gate, gate_shape = self._add_step(graph, segment, inner, gate, gate_shape)
                return graph.add("MUL", [tensor, gate], output)
            case ChannelShuffle(groups=groups):
                return self._add_shuffle(graph, groups, tensor, shape, output)
            case GlobalAvgPool():
                axes = graph.add_tensor(_integers(f"{name}/axes", [1, 2]))
                return graph.add("MEAN", [tensor, axes], output, keep_dims=1)
            case Linear() as linear:
                kernel = bias = None
                if self._weights is not None:
                    kernel, bias = self._weights.of(segment, step)
                size = (linear.out_features, linear.in_features)
                constants = self._constants(graph, name, size, kernel, bias, 0)
                return graph.add(
                    "FULLY_CONNECTED",
                    [tensor, *constants],
                    output,
                    fused_activation_function=relu,
                    keep_num_dims=1,
                )

    def _add_convolution(
        self,
        graph: Subgraph,
        segment: str,
        step: Step,
        conv: Conv2d,
        tensor: int,
        shape: Shape,
        output: Tensor,
        relu: int,
    ) -> int:
        kernel = bias = None
        if self._weights is not None:
            kernel, bias = self._weights.of(segment, step)
        is_depthwise = conv.groups == conv.in_channels and conv.groups > 1
        size, name = conv.kernel_size, step.name(segment)
        options = {"stride_w": conv.stride, "stride_h": conv.stride, "fused_activation_function": relu}
        if is_depthwise:
            shape_of_kernel = (1, size, size, conv.out_channels)
            kernel = kernel.transpose(1, 2, 3, 0) if kernel is not None else None
            options["depth_multiplier"] = conv.out_channels // conv.in_channels
        else:
            shape_of_kernel = (conv.out_channels, size, size, conv.in_channels // conv.groups)
            kernel = kernel.transpose(0, 2, 3, 1) if kernel is not None else None
        constants = self._constants(graph, name, shape_of_kernel, kernel, bias, 3 if is_depthwise else 0)
        if _pads_alike(conv, shape):
            options["padding"] = _SAME
        else:
            options["padding"] = _VALID
            tensor = self._add_padding(graph, name, tensor, shape, size // 2)
        kind = "DEPTHWISE_CONV_2D" if is_depthwise else "CONV_2D"
        return graph.add(kind, [tensor, *constants], output, **options)

    def _add_h_sigmoid(self, graph: Subgraph, tensor: int, output: Tensor) -> int:
        name = output.name
        shifted = Tensor(f"{name}/shifted", output.shape, self._type, scales=output.scales)
        inputs = [tensor, self._number(graph, f"{name}/3", 3.0)]
        at_most_6 = graph.add("ADD", inputs, shifted, fused_activation_function=_RELU6)
        return graph.add("MUL", [at_most_6, self._number(graph, f"{name}/sixth", 1 / 6)], output)

    def _number(self, graph: Subgraph, name: str, value: float) -> int:
        """Add a constant of one number and return its index."""
        if self._type == "INT8":
            return graph.add_tensor(Tensor(name, (1,), "INT8", np.array([127], np.int8), (value / 127,)))
        return graph.add_tensor(Tensor(name, (1,), "FLOAT32", np.array([value], np.float32)))

    def _add_padding(self, graph: Subgraph, name: str, tensor: int, shape: Shape, pad: int) -> int:
        channels, height, width = shape
        amounts = np.array([[0, 0], [pad, pad], [pad, pad], [0, 0]], np.int32)
        paddings = graph.add_tensor(Tensor(f"{name}/paddings", (4, 2), "INT32", amounts))
        padded = self._activation(f"{name}/pad", (channels, height + 2 * pad, width + 2 * pad))
        return graph.add("PAD", [tensor, paddings], padded)

    def _add_shuffle(self, graph: Subgraph, groups: int, tensor: int, shape: Shape, output: Tensor) -> int:
        channels, height, width = shape
        maps = (self._batch, height, width)
        split = (*maps, groups, channels // groups)
        joined = (*maps, channels // groups, groups)
        for kind, size, argument in (
            ("RESHAPE", split, split),
            ("TRANSPOSE", joined, (0, 1, 2, 4, 3)),
            ("RESHAPE", output.shape, output.shape),
        ):
            name = f"{output.name}/{len(graph.tensors)}"
            constant = graph.add_tensor(_integers(f"{name}/argument", argument))
            result = Tensor(name, size, self._type, scales=output.scales)
            tensor = graph.add(kind, [tensor, constant], result)
        return tensor

    def _constants(
        self,
        graph: Subgraph,
        name: str,
        shape: tuple[int, ...],
        kernel: Array | None,
        bias: Array | None,
        channel_dimension: int,
    ) -> tuple[int, int]:
        """Add kernel and bias and return their indices."""
        size = shape[channel_dimension]
        scales: tuple[float, ...] = ()
        bias_scales: tuple[float, ...] = ()
        bias_type: TensorType = "FLOAT32"
        if self._type == "INT8":
            scales, bias_scales = (_KERNEL_SCALE,) * size, (_ACTIVATION_SCALE * _KERNEL_SCALE,) * size
            bias_type = "INT32"
        stored = Tensor(
            f"{name}/kernel",
            shape,
            self._type,
            "zeros" if kernel is None else kernel,
            scales,
            channel_dimension,
        )
        shift = Tensor(f"{name}/bias", (size,), bias_type, "zeros" if bias is None else bias, bias_scales)
        return graph.add_tensor(stored), graph.add_tensor(shift)


def _contained(step: Step) -> int:
    """Return the format's number of the activation that a step contains."""
    match step.activation:
        case ReLU():
            return _RELU
        case ReLU6():
            return _RELU6
    return _NO_ACTIVATION


def _pads_alike(conv: Conv2d, shape: Shape) -> bool:
    """Return whether SAME padding puts ``kernel_size // 2`` on each side."""
    if conv.kernel_size == 1 or conv.stride == 1:
        return True
    totals = ((-(-size // conv.stride) - 1) * conv.stride + conv.kernel_size - size for size in shape[1:])
    return all(total == conv.kernel_size - 1 for total in totals)


def _integers(name: str, values: tuple[int, ...] | list[int]) -> Tensor:
    return Tensor(name, (len(values),), "INT32", np.array(values, np.int32))
