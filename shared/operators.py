"""Primitive operators as frozen data: output shape, multiply-accumulates, parameters.

A shape is ``(channels, height, width)``; the batch belongs to the conditions of a measurement.
Convolutions are padded with ``kernel_size // 2`` so that stride 1 keeps height and width.
"""

from dataclasses import dataclass
from typing import Literal

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Conv2d:
    """A square convolution without bias (a batch norm follows it everywhere in this project)."""

    in_channels: int
    out_channels: int
    kernel_size: int = 1
    stride: int = 1
    groups: int = 1
    kind: Literal["conv2d"] = "conv2d"

    def __post_init__(self) -> None:
        _require_positive(self, "in_channels", "out_channels", "kernel_size", "stride", "groups")
        if self.kernel_size % 2 == 0:
            raise ValueError(f"conv2d kernel_size must be odd, got {self.kernel_size}")
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"conv2d groups={self.groups} must divide in_channels={self.in_channels} "
                f"and out_channels={self.out_channels}"
            )

    def output_shape(self, shape: Shape) -> Shape:
        """Return ``(out_channels, ceil(H / stride), ceil(W / stride))``.

        Raises:
            ValueError: the input does not have ``in_channels`` channels.
        """
        _require_channels(self.kind, self.in_channels, shape)
        _, height, width = shape
        return self.out_channels, -(-height // self.stride), -(-width // self.stride)

    def macs(self, shape: Shape) -> int:
        """Return the multiply-accumulates for one image of this input shape."""
        _, height, width = self.output_shape(shape)
        return self.num_params * height * width

    @property
    def num_params(self) -> int:
        return self.out_channels * (self.in_channels // self.groups) * self.kernel_size**2


class _Free:
    """What multiplies nothing and, unless it says otherwise, has no parameters."""

    __slots__ = ()

    def macs(self, shape: Shape) -> int:
        return 0

    @property
    def num_params(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class BatchNorm2d(_Free):
    """Batch normalisation; folded into the convolution before it wherever latency is measured."""

    channels: int
    kind: Literal["batch_norm2d"] = "batch_norm2d"

    def __post_init__(self) -> None:
        _require_positive(self, "channels")

    def output_shape(self, shape: Shape) -> Shape:
        _require_channels(self.kind, self.channels, shape)
        return shape

    @property
    def num_params(self) -> int:
        return 2 * self.channels


class _Elementwise(_Free):
    """What keeps the shape, number by number."""

    __slots__ = ()

    def output_shape(self, shape: Shape) -> Shape:
        return shape


@dataclass(frozen=True, slots=True)
class ReLU(_Elementwise):
    """Rectified linear unit."""

    kind: Literal["relu"] = "relu"


@dataclass(frozen=True, slots=True)
class ReLU6(_Elementwise):
    """Rectified linear unit with an upper end: ``min(max(x, 0), 6)``."""

    kind: Literal["relu6"] = "relu6"


@dataclass(frozen=True, slots=True)
class HSigmoid(_Elementwise):
    """A sigmoid of straight lines: ``relu6(x + 3) / 6`` (MobileNetV3, arXiv 1905.02244)."""

    kind: Literal["h_sigmoid"] = "h_sigmoid"


@dataclass(frozen=True, slots=True)
class HSwish(_Elementwise):
    """``x * h_sigmoid(x)`` (MobileNetV3, arXiv 1905.02244)."""

    kind: Literal["h_swish"] = "h_swish"


Activation = ReLU | ReLU6 | HSigmoid | HSwish
"""What may follow a convolution number by number."""


@dataclass(frozen=True, slots=True)
class ChannelShuffle(_Free):
    """Transpose ``(groups, C / groups)`` channels, so that the next grouped conv mixes them."""

    groups: int
    kind: Literal["channel_shuffle"] = "channel_shuffle"

    def __post_init__(self) -> None:
        _require_positive(self, "groups")

    def output_shape(self, shape: Shape) -> Shape:
        if shape[0] % self.groups:
            raise ValueError(f"channel_shuffle groups={self.groups} must divide {shape[0]} channels")
        return shape


@dataclass(frozen=True, slots=True)
class GlobalAvgPool(_Free):
    """Mean over height and width: ``(C, H, W) -> (C, 1, 1)``."""

    kind: Literal["global_avg_pool"] = "global_avg_pool"

    def output_shape(self, shape: Shape) -> Shape:
        return shape[0], 1, 1


@dataclass(frozen=True, slots=True)
class SqueezeExcite:
    """Scale each channel by a gate that looks at the whole map.

    The gate is the mean over height and width, a 1x1 conv + ReLU to ``squeezed`` channels, and a 1x1 conv +
    h-sigmoid back; both convolutions have a bias. Counted are the multiply-accumulates of the two.

    Source: Hu et al., "Squeeze-and-Excitation Networks" (arXiv 1709.01507), with the h-sigmoid of
    MobileNetV3 (arXiv 1905.02244), section 5.3.
    """

    channels: int
    squeezed: int
    kind: Literal["squeeze_excite"] = "squeeze_excite"

    def __post_init__(self) -> None:
        _require_positive(self, "channels", "squeezed")

    def output_shape(self, shape: Shape) -> Shape:
        _require_channels(self.kind, self.channels, shape)
        return shape

    def macs(self, shape: Shape) -> int:
        return 2 * self.channels * self.squeezed

    @property
    def num_params(self) -> int:
        return 2 * self.channels * self.squeezed + self.channels + self.squeezed


@dataclass(frozen=True, slots=True)
class Linear:
    """A fully connected layer with bias: ``(in_features, 1, 1) -> (out_features, 1, 1)``."""

    in_features: int
    out_features: int
    kind: Literal["linear"] = "linear"

    def __post_init__(self) -> None:
        _require_positive(self, "in_features", "out_features")

    def output_shape(self, shape: Shape) -> Shape:
        if shape != (self.in_features, 1, 1):
            raise ValueError(f"linear takes shape ({self.in_features}, 1, 1), got {shape}")
        return self.out_features, 1, 1

    def macs(self, shape: Shape) -> int:
        return self.in_features * self.out_features

    @property
    def num_params(self) -> int:
        return (self.in_features + 1) * self.out_features


Operator = Conv2d | BatchNorm2d | Activation | ChannelShuffle | SqueezeExcite | GlobalAvgPool | Linear
"""The closed set of operators that an agent runs; told apart on the wire by ``kind``."""

OLD_KINDS = frozenset({"conv2d", "batch_norm2d", "relu", "channel_shuffle", "global_avg_pool", "linear"})
"""What agents of the first protocols know."""


def _require_positive(operator: object, *names: str) -> None:
    for name in names:
        value = getattr(operator, name)
        if value < 1:
            raise ValueError(f"{type(operator).__name__} {name} must be at least 1, got {value}")


def _require_channels(kind: str, channels: int, shape: Shape) -> None:
    if shape[0] != channels:
        raise ValueError(f"{kind} takes {channels} channels, got {shape[0]} (input shape {shape})")
