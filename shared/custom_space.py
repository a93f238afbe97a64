"""Search spaces of one's own, written out in their name.

The name is the whole definition, so that client, server, worker and tables agree without a registry:

    my-space:resolution=32,classes=10,stem=16s2,stages=24x1s1-32x3s2,head=384,blocks=k3_e1-k7_e4_g2-skip

``16s2``: 16 channels, stride 2. ``32x3s2``: 32 channels, 3 layers, of which the first has stride 2. People
write a file instead, see ``space_file.py``.
"""

import re

from shared.macro_architecture import SearchSpace, Stage

_KEYS = ("resolution", "classes", "stem", "stages", "head", "blocks")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_STEM = re.compile(r"(\d+)s(\d+)")
_STAGE = re.compile(r"(\d+)x(\d+)s(\d+)")

MAX_LENGTH = 400
"""Characters of a definition."""
MAX_LAYERS = 60

_LIMITS = {
    "resolution": (8, 1024),
    "classes": (2, 100_000),
    "head": (8, 8192),
    "channels": (4, 2048),
    "stride": (1, 2),
    "layers": (1, MAX_LAYERS),
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
    unknown = sorted(set(parts) - set(_KEYS))
    if missing or unknown:
        raise ValueError(
            f"space {base_name!r}: {'missing' if missing else 'unknown'} {', '.join(missing or unknown)}; "
            f"a definition has {', '.join(_KEYS)}"
        )
    stem_channels, stem_stride = _numbers("stem", _STEM, parts["stem"])
    stages = [_numbers("stages", _STAGE, stage) for stage in parts["stages"].split("-")]
    return build_space(
        base_name,
        resolution=_number("resolution", parts["resolution"]),
        num_classes=_number("classes", parts["classes"]),
        stem_channels=stem_channels,
        stem_stride=stem_stride,
        stages=tuple(Stage(channels, layers, stride) for channels, layers, stride in stages),
        head_channels=_number("head", parts["head"]),
        candidates=tuple(parts["blocks"].split("-")),
    )


def build_space(
    base_name: str,
    *,
    resolution: int,
    num_classes: int,
    stem_channels: int,
    stem_stride: int,
    stages: tuple[Stage, ...],
    head_channels: int,
    candidates: tuple[str, ...],
) -> SearchSpace:
    """Return a space of one's own, named by its definition.

    Raises:
        ValueError: a value is out of range, a block is unknown, or it does not fit a layer.
    """
    if not _NAME.fullmatch(base_name):
        raise ValueError(
            f"the name of a space is 1 to 40 small letters, digits, '-' and '_', got {base_name!r}"
        )
    _require("resolution", resolution, "resolution")
    _require("classes", num_classes, "classes")
    _require("stem: channels", stem_channels, "channels")
    _require("stem: stride", stem_stride, "stride")
    _require("head", head_channels, "head")
    for index, stage in enumerate(stages):
        _require(f"stages[{index}]: channels", stage.channels, "channels")
        _require(f"stages[{index}]: layers", stage.num_layers, "layers")
        _require(f"stages[{index}]: stride", stage.stride, "stride")
    num_layers = sum(stage.num_layers for stage in stages)
    if not 1 <= num_layers <= MAX_LAYERS:
        raise ValueError(f"stages must have 1 to {MAX_LAYERS} layers together, got {num_layers}")
    if len(candidates) < 2 or len(set(candidates)) < len(candidates):
        raise ValueError(f"candidates must be at least two different blocks, got {', '.join(candidates)}")
    stage_texts = (f"{stage.channels}x{stage.num_layers}s{stage.stride}" for stage in stages)
    name = (
        f"{base_name}:resolution={resolution},classes={num_classes},stem={stem_channels}s{stem_stride},"
        f"stages={'-'.join(stage_texts)},head={head_channels},blocks={'-'.join(candidates)}"
    )
    if len(name) > MAX_LENGTH:
        raise ValueError(
            f"a space's definition has at most {MAX_LENGTH} characters, got {len(name)}: {name}"
        )
    space = SearchSpace(
        name, resolution, stem_channels, stem_stride, stages, head_channels, num_classes, candidates
    )
    _require_that_blocks_fit(space)
    return space


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


def _numbers(key: str, pattern: re.Pattern[str], text: str) -> tuple[int, ...]:
    match = pattern.fullmatch(text)
    if match is None:
        example = "16s2" if key == "stem" else "24x1s1-32x3s2"
        raise ValueError(f"{key} of a space is written like {example}, got {text!r}")
    return tuple(map(int, match.groups()))


def _number(key: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{key} of a space must be a whole number, got {text!r}")
    return int(text)
