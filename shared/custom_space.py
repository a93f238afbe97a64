"""Search spaces of one's own, written out in their name.

The name is the whole definition, so that client, server, worker and tables agree without a registry:

    my-space:resolution=32,classes=10,stem=16s2,stages=24x1s1-32x3s2,head=384,blocks=k3_e1-k7_e4_g2-skip

``16s2``: 16 channels, stride 2; ``16s2-32k3s1``: then a convolution with 32 channels, kernel 3, stride 1.
``32x3s2``: 32 channels, 3 layers, of which the first has stride 2; ``_c48.96`` behind it offers 48 and 96
channels to the insides of blocks ``k3_c1`` and ``k3_c2``; ``_se`` gives all blocks squeeze-and-excite,
``_hs`` or ``_r6`` h-swish or ReLU6. ``head=960-1280``: a second layer of 1280 behind pooling; ``_bn``
behind it gives that one a batch norm. ``activation=hswish`` is that of stem and head.
People write a file instead, see ``space_file.py``.
"""

import re
from dataclasses import replace
from itertools import pairwise

from shared.blocks import channel_choice
from shared.macro_architecture import SearchSpace, Stage, StemConv
from shared.traits import ACTIVATIONS, ActivationName, Traits, activation

_KEYS = ("resolution", "classes", "stem", "stages", "head", "blocks")
_OPTIONAL_KEYS = ("activation",)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_STEM = re.compile(r"(\d+)s(\d+)")
_STEM_CONV = re.compile(r"(\d+)k(\d+)s(\d+)")
_STAGE = re.compile(r"(\d+)x(\d+)s(\d+)")
_STAGE_TRAITS = re.compile(r"(.*?)(?:_c(\d+(?:\.\d+)*))?(_se)?(?:_(r6|hs))?")
_HEAD = re.compile(r"(\d+)(?:-(\d+)(_bn)?)?")
_EXAMPLES = {"stem": "16s2", "stages": "24x1s1-32x3s2", "head": "384 or 960-1280"}

MAX_LENGTH = 400
"""Characters of a definition."""
MAX_LAYERS = 60

_LIMITS = {
    "resolution": (8, 1024),
    "classes": (2, 100_000),
    "head": (8, 8192),
    "channels": (4, 2048),
    "inner": (4, 8192),
    "stride": (1, 2),
    "layers": (1, MAX_LAYERS),
    "kernel": (1, 7),
}


def is_custom(text: str) -> bool:
    """Tell whether what stands behind a space's colon defines a space."""
    return "stages=" in text


def custom_space(base_name: str, text: str) -> SearchSpace:
    """Return the space that a definition spells.

    Args:
        base_name: what people call it: small letters, digits, ``-`` and ``_``.
        text: the definition, without name and colon.

    Raises:
        ValueError: something is missing, unknown or out of range.
    """
    parts = dict(part.partition("=")[::2] for part in text.split(","))
    missing = [key for key in _KEYS if key not in parts]
    unknown = sorted(set(parts) - {*_KEYS, *_OPTIONAL_KEYS})
    if missing or unknown:
        raise ValueError(
            f"space {base_name!r}: {'missing' if missing else 'unknown'} {', '.join(missing or unknown)}; "
            f"a definition has {', '.join(_KEYS)}, and may have {', '.join(_OPTIONAL_KEYS)}"
        )
    first, *others = parts["stem"].split("-")
    stem_channels, stem_stride = _numbers("stem", _STEM, first)
    head, features, norm = _match("head", _HEAD, parts["head"]).groups()
    return named_by_definition(
        SearchSpace(
            base_name,
            resolution=_number("resolution", parts["resolution"]),
            stem_channels=stem_channels,
            stem_stride=stem_stride,
            stages=tuple(map(_stage, parts["stages"].split("-"))),
            head_channels=int(head),
            num_classes=_number("classes", parts["classes"]),
            candidates=tuple(parts["blocks"].split("-")),
            stem_tail=tuple(StemConv(*_numbers("stem", _STEM_CONV, conv)) for conv in others),
            head_features=int(features or 0),
            has_head_norm=bool(norm),
            activation=known_activation(parts.get("activation", "relu")),
        )
    )


def named_by_definition(space: SearchSpace) -> SearchSpace:
    """Return a space of one's own, its name followed by its definition.

    Raises:
        ValueError: a value is out of range, a block is unknown, or it does not fit a layer.
    """
    if not _NAME.fullmatch(space.name):
        raise ValueError(
            f"the name of a space is 1 to 40 small letters, digits, '-' and '_', got {space.name!r}"
        )
    _require_limits(space)
    candidates = space.candidates
    if len(candidates) < 2 or len(set(candidates)) < len(candidates):
        raise ValueError(f"candidates must be at least two different blocks, got {', '.join(candidates)}")
    name = f"{space.name}:{_definition(space)}"
    if len(name) > MAX_LENGTH:
        raise ValueError(
            f"a space's definition has at most {MAX_LENGTH} characters, got {len(name)}: {name}"
        )
    space = replace(space, name=name)
    _require_choices(space)
    _require_that_blocks_fit(space)
    return space


def known_activation(name: str) -> ActivationName:
    """Return the name of an activation.

    Raises:
        ValueError: there is none of this name.
    """
    known: ActivationName = name  # type: ignore[assignment]  # the next line tells
    activation(known)
    return known


def _definition(space: SearchSpace) -> str:
    """Return a space written out."""
    first = f"{space.stem_channels}s{space.stem_stride}"
    others = (f"{conv.channels}k{conv.kernel_size}s{conv.stride}" for conv in space.stem_tail)
    features = f"-{space.head_features}" if space.head_features else ""
    parts = {
        "resolution": str(space.resolution),
        "classes": str(space.num_classes),
        "stem": "-".join([first, *others]),
        "stages": "-".join(
            f"{stage.channels}x{stage.num_layers}s{stage.stride}{stage.traits.suffix}"
            for stage in space.stages
        ),
        "head": f"{space.head_channels}{features}{'_bn' if space.has_head_norm else ''}",
    }
    if space.activation != "relu":
        parts["activation"] = space.activation
    parts["blocks"] = "-".join(space.candidates)
    return ",".join(f"{key}={value}" for key, value in parts.items())


def _require_limits(space: SearchSpace) -> None:
    _require("resolution", space.resolution, "resolution")
    _require("classes", space.num_classes, "classes")
    _require("stem: channels", space.stem_channels, "channels")
    _require("stem: stride", space.stem_stride, "stride")
    for index, conv in enumerate(space.stem_tail):
        _require(f"stem: then[{index}]: channels", conv.channels, "channels")
        _require(f"stem: then[{index}]: kernel", conv.kernel_size, "kernel")
        _require(f"stem: then[{index}]: stride", conv.stride, "stride")
    _require("head", space.head_channels, "head")
    if space.head_features:
        _require("head: features", space.head_features, "head")
    elif space.has_head_norm:
        raise ValueError("head: norm is that of the layer behind pooling; give its features too")
    for index, stage in enumerate(space.stages):
        _require(f"stages[{index}]: channels", stage.channels, "channels")
        _require(f"stages[{index}]: layers", stage.num_layers, "layers")
        _require(f"stages[{index}]: stride", stage.stride, "stride")
    if not 1 <= space.num_layers <= MAX_LAYERS:
        raise ValueError(f"stages must have 1 to {MAX_LAYERS} layers together, got {space.num_layers}")


def _require_choices(space: SearchSpace) -> None:
    """Check that each stage offers as many inner channels as the candidates choose among, rising ones."""
    num_choices = max(map(channel_choice, space.candidates))
    for index, stage in enumerate(space.stages):
        inner = stage.traits.inner_channels
        for channels in inner:
            _require(f"stages[{index}]: inner", channels, "inner")
        if any(fewer >= more for fewer, more in pairwise(inner)):
            raise ValueError(f"stages[{index}]: inner must rise, got {', '.join(map(str, inner))}")
        if len(inner) != num_choices:
            raise ValueError(
                f"stages[{index}]: inner offers {len(inner)} numbers of channels, and the candidates "
                f"choose among {num_choices}; k3_c1 takes the first, k3_c2 the second"
            )


def _require_that_blocks_fit(space: SearchSpace) -> None:
    for layer in space.layers:
        for block in space.candidates:
            try:
                space.candidate(layer, block)
            except ValueError as error:
                raise ValueError(f"candidate {block!r} does not fit {layer.name}: {error}") from None


def _require(what: str, value: int, limit: str) -> None:
    low, high = _LIMITS[limit]
    if not low <= value <= high:
        raise ValueError(f"{what} must lie in {low}..{high}, got {value}")


def _stage(text: str) -> Stage:
    sizes, inner, squeeze, ending = _match("stages", _STAGE_TRAITS, text).groups()
    channels, layers, stride = _numbers("stages", _STAGE, sizes)
    choices = tuple(map(int, inner.split("."))) if inner else ()
    return Stage(channels, layers, stride, Traits(bool(squeeze), ACTIVATIONS.get(ending, "relu"), choices))


def _numbers(key: str, pattern: re.Pattern[str], text: str) -> tuple[int, ...]:
    return tuple(map(int, _match(key, pattern, text).groups()))


def _match(key: str, pattern: re.Pattern[str], text: str) -> re.Match[str]:
    match = pattern.fullmatch(text)
    if match is None:
        raise ValueError(f"{key} of a space is written like {_EXAMPLES[key]}, got {text!r}")
    return match


def _number(key: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{key} of a space must be a whole number, got {text!r}")
    return int(text)
