"""A segment as inference runtimes want it: batch norms folded into convolutions, activations with them.

A squeeze-and-excite is one step, whose gate is steps again: pooling, two convolutions with bias, h-sigmoid.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.operators import (
    Activation,
    BatchNorm2d,
    ChannelShuffle,
    Conv2d,
    GlobalAvgPool,
    HSigmoid,
    Linear,
    ReLU,
    ReLU6,
    SqueezeExcite,
)
from shared.workload import Segment

BATCH_NORM_EPS = 1e-5

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a runtime computes: an operator with the activation that it contains."""

    index: int
    """Of the operator in its segment."""
    operator: Conv2d | Activation | ChannelShuffle | SqueezeExcite | GlobalAvgPool | Linear
    norm_index: int | None = None
    """Of the batch norm that is folded into the convolution."""
    activation_index: int | None = None
    """Of the activation that goes with a convolution or a linear layer."""
    activation: Activation | None = None
    part: str = ""
    """What it is in the gate of a squeeze-and-excite: pool, reduce, expand, gate."""

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
        return f"{segment}/{self.index}/{self.part or self.operator.kind}"

    def parameters(self, segment: str) -> str:
        """Return what the names of its parameters begin with; see ``shared/modules.py``."""
        return f"{segment}.{self.index}.{self.part}" if self.part else f"{segment}.{self.index}"

    def activation_name(self, segment: str) -> str:
        """Return what the contained activation is called where it is a node of its own."""
        assert self.activation is not None, f"{self} contains no activation"
        part = f"{self.part}_" if self.part else ""
        return f"{segment}/{self.activation_index}/{part}{self.activation.kind}"


CONTAINED = (ReLU, ReLU6)
"""Activations that a convolution or a linear layer contains in most runtimes."""


def steps(segment: Segment, contained: tuple[type[Activation], ...] = CONTAINED) -> Iterator[Step]:
    """Yield what a runtime computes for a segment, in order; a residual's addition comes on top.

    Args:
        segment: what is computed.
        contained: activations that do not make steps of their own behind convolutions and linear layers.
    """
    operators = segment.operators
    index = 0
    while index < len(operators):
        operator = operators[index]
        following = index + 1
        norm_index = activation_index = activation = None
        if not isinstance(operator, BatchNorm2d):
            if isinstance(operator, Conv2d) and isinstance(_at(operators, following), BatchNorm2d):
                norm_index = following
                following += 1
            after = _at(operators, following)
            if isinstance(operator, Conv2d | Linear) and isinstance(after, contained):
                activation_index, activation = following, after
                following += 1
            yield Step(index, operator, norm_index, activation_index, activation)
        index = following


def gate_steps(step: Step) -> tuple[Step, ...]:
    """Return what computes the gate of a squeeze-and-excite, one number a channel."""
    squeeze = step.operator
    assert isinstance(squeeze, SqueezeExcite), f"{squeeze.kind} has no gate"
    index, channels, squeezed = step.index, squeeze.channels, squeeze.squeezed
    return (
        Step(index, GlobalAvgPool(), part="pool"),
        Step(index, Conv2d(channels, squeezed), None, index, ReLU(), "reduce"),
        Step(index, Conv2d(squeezed, channels), part="expand"),
        Step(index, HSigmoid(), part="gate"),
    )


@dataclass(frozen=True, slots=True)
class FoldedWeights:
    """Kernels and biases of a trained network.

    ``arrays`` holds one array per parameter, named ``<segment>.<operator index>.<parameter>`` as in
    ``shared/modules.py``, batch norms with running statistics.
    """

    arrays: Mapping[str, Array]

    def of(self, segment: str, step: Step) -> tuple[Array, Array]:
        """Return kernel and bias of a convolution, its batch norm folded in, or of what has a bias.

        Returns:
            Kernel of the step's ``kernel_shape``, and bias ``(out,)``.

        Raises:
            ValueError: an array is missing or has another shape than its operator.
        """
        name = step.parameters(segment)
        kernel = self._array(f"{name}.weight", step.kernel_shape)
        channels = kernel.shape[:1]
        if isinstance(step.operator, Linear) or step.part:
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
