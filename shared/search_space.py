"""Search spaces by name: the paper's, small ones, and spaces of one's own, written out in their names.

Source: FBNet (arXiv 1812.03443), table 1; MobileNetV3 (arXiv 1905.02244), table 1; MobileNetV4 (arXiv
2404.10518), the table of MNv4-Conv-S. A space is written as a string, so that commands, REST and
the database share one notation: ``fbnet-224``, or ``fbnet-224:width=0.5,resolution=160,head=1504``. For
spaces of one's own see ``custom_space.py``.
"""

import math
from dataclasses import replace

from shared.custom_space import custom_space, is_custom
from shared.macro_architecture import Layer, SearchSpace, Stage
from shared.traits import Traits

__all__ = ["SPACE_NAMES", "Layer", "SearchSpace", "Stage", "search_space"]

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

_V3_BLOCKS = "k3_e3-k3_e4-k3_e6-k5_e3-k5_e4-k5_e6-k7_e3-k7_e4-k7_e6-skip"
_V4_BLOCKS = "k3_e4-k3_e2-k5_e3-k5_e4-d3_k3_e4-d3_k3_e6-d5_k5_e3-d5_k5_e4-d3_e4-d5_e4-e4-skip"
_CHANNEL_BLOCKS = "k3_c1-k3_c2-k3_c3-k3_c4-k5_c1-k5_c2-k5_c3-k5_c4"
# The tiny spaces have the head of FBNet's: a second layer behind pooling learns slowly, which costs several
# points of accuracy in trainings of minutes.
_DEFINITIONS = {
    "mobilenetv3-224": "resolution=224,classes=1000,stem=16s2,stages=16x1s1-24x2s2-40x3s2_se-80x4s2_hs-"
    f"112x2s1_se_hs-160x3s2_se_hs,head=960-1280,activation=hswish,blocks={_V3_BLOCKS}",
    "mobilenetv3-tiny": "resolution=32,classes=10,stem=16s2,stages=16x1s1-24x2s1-40x3s2_se-80x4s2_hs-"
    f"112x2s1_se_hs,head=384,activation=hswish,blocks={_V3_BLOCKS}",
    "mobilenetv4-224": "resolution=224,classes=1000,stem=32s2-32k3s2-32k1s1-96k3s2-64k1s1,"
    f"stages=96x6s2-128x6s2,head=960-1280_bn,blocks={_V4_BLOCKS}",
    "mobilenetv4-tiny": "resolution=32,classes=10,stem=16s2,stages=24x4s1-48x4s2-96x4s2,head=384,"
    f"blocks={_V4_BLOCKS}",
    "channels-224": "resolution=224,classes=1000,stem=16s2,stages=16x1s1_c16.32.48.64-24x2s2_c48.64.72.96-"
    "40x3s2_c72.96.120.240_se-80x4s2_c184.200.240.480_hs-112x2s1_c336.480.576.672_se_hs-"
    f"160x3s2_c480.672.800.960_se_hs,head=960-1280,activation=hswish,blocks={_CHANNEL_BLOCKS}-k3_sep-skip",
    "channels-tiny": "resolution=32,classes=10,stem=16s2,stages=16x1s1_c16.32.48.64-24x2s1_c32.64.96.144-"
    "40x3s2_c64.96.144.240_se-80x4s2_c120.200.320.480_hs-112x2s1_c160.320.480.672_se_hs,head=384,"
    f"activation=hswish,blocks={_CHANNEL_BLOCKS}-skip",
}

SPACE_NAMES: tuple[str, ...] = ("fbnet-224", "fbnet-96-035", "fbnet-cifar", "fbnet-tiny", *_DEFINITIONS)

_OVERRIDES = ("width", "resolution", "head", "classes")


def search_space(spec: str) -> SearchSpace:
    """Return the search space that a string names.

    The string is a name, or a name with overrides behind a colon: ``width`` (a factor on the channels of
    stem and stages, rounded up to multiples of 8), ``resolution`` (pixels), ``head`` (channels of the
    last convolution), ``classes``. Or it defines a space of one's own. The space's own ``name`` is the
    normalised string.

    Raises:
        ValueError: unknown name or override, or a value out of range; the message says what exists.
    """
    base_name, _, text = spec.strip().partition(":")
    if is_custom(text):
        return custom_space(base_name, text)
    if base_name not in SPACE_NAMES:
        raise ValueError(
            f"unknown search space {base_name!r}; the spaces are {', '.join(SPACE_NAMES)}, "
            "or a file of your own (.json, .toml or .yaml)"
        )
    overrides = _parse_overrides(spec, text)
    if base_name == "fbnet-96-035":
        space = _scale(replace(_SPACES["fbnet-224"], resolution=96, head_channels=1416), 0.35)
    elif base_name in _DEFINITIONS:
        space = custom_space(base_name, _DEFINITIONS[base_name])
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
        stem_tail=tuple(
            replace(conv, channels=_scale_channels(conv.channels, width)) for conv in space.stem_tail
        ),
        stages=tuple(
            replace(
                stage,
                channels=_scale_channels(stage.channels, width),
                traits=_scale_choices(stage.traits, width),
            )
            for stage in space.stages
        ),
    )


def _scale_choices(traits: Traits, width: float) -> Traits:
    inner = tuple(_scale_channels(channels, width) for channels in traits.inner_channels)
    if len(set(inner)) < len(inner):
        raise ValueError(
            f"width={width:g} leaves too few inner channels to choose among: "
            f"{', '.join(map(str, traits.inner_channels))} become {', '.join(map(str, inner))}; "
            "take a larger width, or define a space of your own"
        )
    return replace(traits, inner_channels=inner)


def _scale_channels(channels: int, width: float) -> int:
    """Round up to a multiple of 8: the rule that gives the released 96-0.35 network's channels."""
    return max(8, math.ceil(round(channels * width, 6) / 8) * 8)
