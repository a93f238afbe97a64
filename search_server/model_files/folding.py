"""A segment as inference runtimes want it: batch norms folded into convolutions, ReLUs fused to them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.operators import BatchNorm2d, ChannelShuffle, Conv2d, GlobalAvgPool, Linear, ReLU
from shared.workload import Segment

BATCH_NORM_EPS = 1e-5

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a runtime computes: an operator with the ReLU that follows it."""

    index: int
    """Of the operator in its segment."""
    operator: Conv2d | ReLU | ChannelShuffle | GlobalAvgPool | Linear
    norm_index: int | None = None
    """Of the batch norm that is folded into the convolution."""
    relu_index: int | None = None
    """Of the ReLU that goes with a convolution or a linear layer."""

    @property
    def has_relu(self) -> bool:
        return self.relu_index is not None

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """``(out, in / groups, k, k)`` of a convolution, ``(out, in)`` of a linear layer."""
        match self.operator:
            case Conv2d() as conv:
                return conv.out_channels, conv.in_channels // conv.groups, *[conv.kernel_size] * 2
            case Linear() as linear:
                return linear.out_features, linear.in_features
        raise ValueError(f"{self.operator.kind} has no kernel")

    def name(self, segment: str) -> str:
        """Return ``<segment>/<operator index>/<kind>``."""
        return f"{segment}/{self.index}/{self.operator.kind}"


def steps(segment: Segment) -> Iterator[Step]:
    """Yield what a runtime computes for a segment, in order; a residual's addition comes on top."""
    operators = segment.operators
    index = 0
    while index < len(operators):
        operator = operators[index]
        following = index + 1
        norm_index = relu_index = None
        if not isinstance(operator, BatchNorm2d):
            if isinstance(operator, Conv2d) and isinstance(_at(operators, following), BatchNorm2d):
                norm_index = following
                following += 1
            if isinstance(operator, Conv2d | Linear) and isinstance(_at(operators, following), ReLU):
                relu_index = following
                following += 1
            yield Step(index, operator, norm_index, relu_index)
        index = following


@dataclass(frozen=True, slots=True)
class FoldedWeights:
    """Kernels and biases of a trained network.

    ``arrays`` holds one array per parameter, named ``<segment>.<operator index>.<parameter>`` as in
    ``shared/modules.py``, batch norms with running statistics.
    """

    arrays: Mapping[str, Array]

    def of(self, segment: str, step: Step) -> tuple[Array, Array]:
        """Return kernel and bias of a convolution, its batch norm folded in, or of a linear layer.

        Returns:
            Kernel of the step's ``kernel_shape``, and bias ``(out,)``.

        Raises:
            ValueError: an array is missing or has another shape than its operator.
        """
        name = f"{segment}.{step.index}"
        kernel = self._array(f"{name}.weight", step.kernel_shape)
        channels = kernel.shape[:1]
        if isinstance(step.operator, Linear):
            return kernel, self._array(f"{name}.bias", channels)
        if step.norm_index is None:
            return kernel, np.zeros(channels, np.float32)
        gain, shift, mean, variance = (
            self._array(f"{segment}.{step.norm_index}.{part}", channels)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gain / np.sqrt(variance + BATCH_NORM_EPS)
        return kernel * scale[:, None, None, None], shift - mean * scale

    def _array(self, name: str, shape: tuple[int, ...]) -> Array:
        if name not in self.arrays:
            raise ValueError(f"weights lack {name!r} of shape {shape}")
        array = self.arrays[name]
        if array.shape != shape:
            raise ValueError(f"weight {name!r} must have shape {shape}, got {array.shape}")
        return array.astype(np.float32)


def _at(operators: tuple[object, ...], index: int) -> object | None:
    return operators[index] if index < len(operators) else None
