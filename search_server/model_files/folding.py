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
    norm: str | None = None
    """Name of the batch norm that is folded into the convolution."""
    has_relu: bool = False

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
        norm = None
        has_relu = False
        if not isinstance(operator, BatchNorm2d):
            if isinstance(operator, Conv2d) and isinstance(_at(operators, following), BatchNorm2d):
                norm = f"{segment.name}.{following}"
                following += 1
            if isinstance(operator, Conv2d | Linear) and isinstance(_at(operators, following), ReLU):
                has_relu = True
                following += 1
            yield Step(index, operator, norm, has_relu)
        index = following


@dataclass(frozen=True, slots=True)
class FoldedWeights:
    """Kernels and biases of a trained network.

    ``arrays`` holds one array per parameter, named ``<segment>.<operator index>.<parameter>`` as in
    ``shared/modules.py``, batch norms with running statistics.
    """

    arrays: Mapping[str, Array]

    def convolution(self, name: str, conv: Conv2d, norm: str | None) -> tuple[Array, Array]:
        """Return kernel ``(out, in / groups, k, k)`` and bias ``(out,)``, the batch norm folded in.

        Args:
            name: ``<segment>.<operator index>`` of the convolution.
            conv: the convolution.
            norm: the same of the batch norm behind it, if there is one.

        Raises:
            ValueError: an array is missing or has another shape than its operator.
        """
        size = conv.kernel_size
        kernel = self._array(
            f"{name}.weight", (conv.out_channels, conv.in_channels // conv.groups, size, size)
        )
        if norm is None:
            return kernel, np.zeros(conv.out_channels, np.float32)
        gain, shift, mean, variance = (
            self._array(f"{norm}.{part}", (conv.out_channels,))
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gain / np.sqrt(variance + BATCH_NORM_EPS)
        return kernel * scale[:, None, None, None], shift - mean * scale

    def linear(self, name: str, linear: Linear) -> tuple[Array, Array]:
        """Return kernel ``(out, in)`` and bias ``(out,)``.

        Raises:
            ValueError: an array is missing or has another shape than its operator.
        """
        kernel = self._array(f"{name}.weight", (linear.out_features, linear.in_features))
        return kernel, self._array(f"{name}.bias", (linear.out_features,))

    def _array(self, name: str, shape: tuple[int, ...]) -> Array:
        if name not in self.arrays:
            raise ValueError(f"weights lack {name!r} of shape {shape}")
        array = self.arrays[name]
        if array.shape != shape:
            raise ValueError(f"weight {name!r} must have shape {shape}, got {array.shape}")
        return array.astype(np.float32)


def _at(operators: tuple[object, ...], index: int) -> object | None:
    return operators[index] if index < len(operators) else None
