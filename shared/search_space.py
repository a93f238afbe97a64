"""Search spaces: a fixed macro-architecture whose layers each choose one candidate block.

Source: FBNet (arXiv 1812.03443), table 1. A space is written as a string, so that commands, REST and
the database share one notation: ``fbnet-224``, or ``fbnet-224:width=0.5,resolution=160,head=1504``.
"""

import math
from dataclasses import dataclass, replace

from shared.blocks import CANDIDATE_NAMES, candidate_block
from shared.operators import BatchNorm2d, Conv2d, GlobalAvgPool, Linear, ReLU, Shape
from shared.workload import Segment


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


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """A macro-architecture with its candidate blocks; build one with :func:`search_space`."""

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


_FBNET_STAGES = ((16, 1, 1), (24, 4, 2), (32, 4, 2), (64, 4, 2), (112, 4, 1), (184, 4, 2), (352, 1, 1))
_CIFAR_STRIDES = (1, 1, 2, 2, 1, 2, 1)


def _fbnet_stages() -> tuple[Stage, ...]:
    return tuple(Stage(channels, layers, stride) for channels, layers, stride in _FBNET_STAGES)


_SPACES = {
    "fbnet-224": SearchSpace("fbnet-224", 224, 16, 2, _fbnet_stages(), 1984, 1000),
    "fbnet-cifar": SearchSpace(
        "fbnet-cifar",
        32,
        16,
        1,
        tuple(
            replace(stage, stride=stride)
            for stage, stride in zip(_fbnet_stages(), _CIFAR_STRIDES, strict=True)
        ),
        1504,
        100,
    ),
    "fbnet-tiny": SearchSpace(
        "fbnet-tiny",
        32,
        16,
        2,
        (Stage(24, 1, 1), Stage(32, 3, 1), Stage(64, 4, 2), Stage(128, 4, 2), Stage(192, 1, 1)),
        384,
        10,
    ),
}

SPACE_NAMES: tuple[str, ...] = ("fbnet-224", "fbnet-96-035", "fbnet-cifar", "fbnet-tiny")

_OVERRIDES = ("width", "resolution", "head", "classes")


def search_space(spec: str) -> SearchSpace:
    """Return the search space that a string names.

    The string is a name, or a name with overrides behind a colon: ``width`` (a factor on stem and
    stage channels, rounded up to multiples of 8), ``resolution`` (pixels), ``head`` (channels of the
    last convolution), ``classes``. The space's own ``name`` is the normalised string.

    Raises:
        ValueError: unknown name or override, or a value out of range; the message says what exists.
    """
    base_name, _, text = spec.strip().partition(":")
    if base_name not in SPACE_NAMES:
        raise ValueError(f"unknown search space {base_name!r}; the spaces are {', '.join(SPACE_NAMES)}")
    overrides = _parse_overrides(spec, text)
    if base_name == "fbnet-96-035":
        space = _scale(replace(_SPACES["fbnet-224"], resolution=96, head_channels=1416), 0.35)
    else:
        space = _SPACES[base_name]
    if "width" in overrides:
        space = _scale(space, overrides["width"])
    space = replace(
        space,
        resolution=int(overrides.get("resolution", space.resolution)),
        head_channels=int(overrides.get("head", space.head_channels)),
        num_classes=int(overrides.get("classes", space.num_classes)),
    )
    suffix = ",".join(f"{key}={overrides[key]:g}" for key in _OVERRIDES if key in overrides)
    return replace(space, name=f"{base_name}:{suffix}" if suffix else base_name)


def _parse_overrides(spec: str, text: str) -> dict[str, float]:
    limits = {"width": (0.05, 4.0), "resolution": (8, 1024), "head": (8, 8192), "classes": (2, 100_000)}
    overrides: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        key, _, number = part.partition("=")
        if key not in limits:
            raise ValueError(
                f"unknown override {key!r} in space {spec!r}; the overrides are {', '.join(_OVERRIDES)}"
            )
        try:
            value = float(number) if key == "width" else int(number)
        except ValueError:
            raise ValueError(f"override {key} in space {spec!r} must be a number, got {number!r}") from None
        low, high = limits[key]
        if not low <= value <= high:
            raise ValueError(f"override {key}={number} in space {spec!r} must lie in {low:g}..{high:g}")
        overrides[key] = value
    return overrides


def _scale(space: SearchSpace, width: float) -> SearchSpace:
    return replace(
        space,
        stem_channels=_scale_channels(space.stem_channels, width),
        stages=tuple(
            replace(stage, channels=_scale_channels(stage.channels, width)) for stage in space.stages
        ),
    )


def _scale_channels(channels: int, width: float) -> int:
    """Round up to a multiple of 8: the rule that gives the released 96-0.35 network's channels."""
    return max(8, math.ceil(round(channels * width, 6) / 8) * 8)
