"""A macro-architecture: fixed stem and head around layers that each choose one candidate block.

Source: FBNet (arXiv 1812.03443), table 1.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from shared.blocks import CANDIDATE_NAMES, candidate_block
from shared.operators import BatchNorm2d, Conv2d, GlobalAvgPool, Linear, ReLU, Shape
from shared.workload import Segment, segment_key


@dataclass(frozen=True, slots=True)
class Stage:
    """``num_layers`` layers of equal output channels; the first has the stage's stride."""

    channels: int
    num_layers: int
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
        channels, resolution = self.stem_channels, -(-self.resolution // self.stem_stride)
        for stage in self.stages:
            for index in range(stage.num_layers):
                stride = stage.stride if index == 0 else 1
                name = f"layer{len(layers) + 1:02}"
                layers.append(Layer(name, channels, stage.channels, stride, resolution))
                channels, resolution = stage.channels, -(-resolution // stride)
        return tuple(layers)

    def stem(self) -> Segment:
        """Return the fixed first segment: 3x3 conv + BN + ReLU."""
        conv = Conv2d(self.input_channels, self.stem_channels, 3, self.stem_stride)
        return Segment("stem", (conv, BatchNorm2d(self.stem_channels), ReLU()))

    def head(self) -> Segment:
        """Return the fixed last segment: 1x1 conv + BN + ReLU, global average pool, linear."""
        channels = self.stages[-1].channels
        return Segment(
            "head",
            (
                Conv2d(channels, self.head_channels),
                BatchNorm2d(self.head_channels),
                ReLU(),
                GlobalAvgPool(),
                Linear(self.head_channels, self.num_classes),
            ),
        )

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
        return block.lower(layer.name, layer.in_channels, layer.out_channels, layer.stride)


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
