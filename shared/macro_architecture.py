"""A macro-architecture: fixed stem and head around layers that each choose one candidate block.

Source: FBNet (arXiv 1812.03443), table 1.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from shared.blocks import CANDIDATE_NAMES, candidate_block
from shared.operators import BatchNorm2d, Conv2d, GlobalAvgPool, Linear, Operator, Shape
from shared.traits import NO_TRAITS, ActivationName, Traits, activation
from shared.workload import Segment, segment_key


@dataclass(frozen=True, slots=True)
class Stage:
    """``num_layers`` layers of equal output channels; the first has the stage's stride."""

    channels: int
    num_layers: int
    stride: int
    traits: Traits = NO_TRAITS
    """Every block of the stage has them."""


@dataclass(frozen=True, slots=True)
class StemConv:
    """A convolution of the stem behind its first, with batch norm and activation."""

    channels: int
    kernel_size: int
    stride: int


@dataclass(frozen=True, slots=True)
class Layer:
    """One searchable layer: what it takes, what it gives."""

    name: str
    in_channels: int
    out_channels: int
    stride: int
    resolution: int
    """Height and width of the input."""
    traits: Traits = NO_TRAITS

    @property
    def input_shape(self) -> Shape:
        return self.in_channels, self.resolution, self.resolution

    @property
    def keeps_shape(self) -> bool:
        """Whether every block gives what it takes, so that a skip is the identity."""
        return self.stride == 1 and self.in_channels == self.out_channels


@dataclass(frozen=True, slots=True)
class PlacedSegment:
    """A segment of a space and the place where it stands: in a layer, as stem or as head."""

    segment: Segment
    input_shape: Shape
    layer: Layer | None = None
    """None: stem or head."""
    block: str = ""
    """The candidate that the segment is; empty for stem and head."""

    @property
    def key(self) -> str:
        """The identity of its latency; see :func:`shared.workload.segment_key`."""
        return segment_key(self.segment, self.input_shape)


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """A macro-architecture with its candidate blocks; ``shared.search_space`` builds them from text."""

    name: str
    resolution: int
    stem_channels: int
    stem_stride: int
    stages: tuple[Stage, ...]
    head_channels: int
    num_classes: int
    candidates: tuple[str, ...] = CANDIDATE_NAMES
    input_channels: int = 3
    stem_tail: tuple[StemConv, ...] = ()
    """What follows the stem's first convolution."""
    head_features: int = 0
    """Of a second layer of the head, behind pooling; 0: there is none."""
    has_head_norm: bool = False
    """That layer is a 1x1 convolution with batch norm, as in MobileNetV4, not a linear one, as in V3."""
    activation: ActivationName = "relu"
    """Of stem and head."""

    @property
    def input_shape(self) -> Shape:
        return self.input_channels, self.resolution, self.resolution

    @property
    def num_layers(self) -> int:
        return sum(stage.num_layers for stage in self.stages)

    @property
    def num_architectures(self) -> int:
        return math.prod([len(self.candidates)] * self.num_layers)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The searchable layers in order, named ``layer01``, ``layer02``, ..."""
        layers: list[Layer] = []
        channels, resolution, _ = self.stem().output_shape(self.input_shape)
        for stage in self.stages:
            for index in range(stage.num_layers):
                stride = stage.stride if index == 0 else 1
                name = f"layer{len(layers) + 1:02}"
                layers.append(Layer(name, channels, stage.channels, stride, resolution, stage.traits))
                channels, resolution = stage.channels, -(-resolution // stride)
        return tuple(layers)

    def stem(self) -> Segment:
        """Return the fixed first segment: convolutions + BN + activation, first a 3x3 one."""
        operators: list[Operator] = []
        channels = self.input_channels
        for conv in (StemConv(self.stem_channels, 3, self.stem_stride), *self.stem_tail):
            operators += [
                Conv2d(channels, conv.channels, conv.kernel_size, conv.stride),
                BatchNorm2d(conv.channels),
                activation(self.activation),
            ]
            channels = conv.channels
        return Segment("stem", tuple(operators))

    def head(self) -> Segment:
        """Return the fixed last segment: 1x1 conv + BN + activation, global average pool, linear.

        With ``head_features`` a layer of so many stands between pool and linear layer.
        """
        act, channels = activation(self.activation), self.head_channels
        operators: list[Operator] = [
            Conv2d(self.stages[-1].channels, channels),
            BatchNorm2d(channels),
            act,
            GlobalAvgPool(),
        ]
        features = self.head_features or channels
        if self.head_features and self.has_head_norm:
            operators += [Conv2d(channels, features), BatchNorm2d(features), act]
        elif self.head_features:
            operators += [Linear(channels, features), act]
        return Segment("head", (*operators, Linear(features, self.num_classes)))

    def segments(self) -> Iterator[PlacedSegment]:
        """Yield every segment of the space once: stem, each layer x candidate in order, head."""
        yield PlacedSegment(self.stem(), self.input_shape)
        for row in self.candidate_segments():
            yield from row
        last = self.layers[-1]
        size = -(-last.resolution // last.stride)
        yield PlacedSegment(self.head(), (last.out_channels, size, size))

    def candidate_segments(self) -> Iterator[tuple[PlacedSegment, ...]]:
        """Return for each layer in order the segments of its candidates, in the space's order."""
        return iter(_candidate_rows(self))

    def candidate(self, layer: Layer, block_name: str) -> Segment:
        """Return a candidate block lowered into a layer.

        Raises:
            ValueError: the block is not a candidate of this space.
        """
        if block_name not in self.candidates:
            raise ValueError(
                f"block {block_name!r} is not a candidate of space {self.name!r}; "
                f"the candidates are {', '.join(self.candidates)}"
            )
        block = candidate_block(block_name)
        return block.lower(layer.name, layer.in_channels, layer.out_channels, layer.stride, layer.traits)


@lru_cache(maxsize=64)
def _candidate_rows(space: SearchSpace) -> tuple[tuple[PlacedSegment, ...], ...]:
    # Reading one latency table takes them several times.
    return tuple(
        tuple(
            PlacedSegment(space.candidate(layer, block), layer.input_shape, layer, block)
            for block in space.candidates
        )
        for layer in space.layers
    )
