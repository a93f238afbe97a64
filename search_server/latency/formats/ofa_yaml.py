"""Once-for-all's latency tables: a YAML map from a block's description to ``mean`` milliseconds.

Source: Cai et al., "Once-for-All" (ICLR 2020) and "ProxylessNAS" (ICLR 2019), their latency lookup tables.
Two notations of the expansion exist: a factor, or, with ``se`` and ``hs`` behind it, a number of channels.

Their block drops the first 1x1 convolution at expansion 1, this project's keeps it, and they have neither
groups nor strided skips: those cells stay missing.
"""

import math
from typing import Any

import yaml

from search_server.latency.formats.reading import ImportedFile, ReadTable, table_of_latencies
from shared.blocks import InvertedResidual, candidate_block
from shared.macro_architecture import PlacedSegment
from shared.operators import Shape
from shared.protocol.device import Conditions
from shared.search_space import Layer, SearchSpace

_CONDITIONS = Conditions(runtime="litert")
"""The public tables were measured with TensorFlow Lite on one thread of a phone."""


def read_ofa_yaml(file: ImportedFile) -> ReadTable:
    """Return the table that the file's blocks give for a space.

    Raises:
        ValueError: not such a file, a latency is impossible, no space was named, or no cell of it is there.
    """
    space = file.require_space()
    known_ms = _read_milliseconds(file.content)
    latency_us: dict[str, float] = {}
    for placed in space.segments():
        for sums in _names(space, placed):
            if all(name in known_ms for name in sums):
                latency_us[placed.key] = 1000 * sum(known_ms[name] for name in sums)
    return table_of_latencies(
        file, space, latency_us, file.conditions or _CONDITIONS, source="once-for-all latency table"
    )


def _read_milliseconds(content: bytes) -> dict[str, float]:
    try:
        document: Any = yaml.load(content, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {error}") from error
    if not isinstance(document, dict) or not all(isinstance(value, dict) for value in document.values()):
        raise ValueError("must be a map from block descriptions to maps with 'mean'")
    known_ms: dict[str, float] = {}
    for name, value in document.items():
        mean = value.get("mean")
        if not isinstance(mean, int | float) or not math.isfinite(mean) or mean <= 0:
            raise ValueError(f"{name}: mean must be a number of milliseconds above 0, got {mean!r}")
        known_ms[str(name)] = float(mean)
    return known_ms


def _names(space: SearchSpace, placed: PlacedSegment) -> tuple[tuple[str, ...], ...]:
    """Return the ways in which a file may describe a segment, each the names whose times add up to its."""
    if placed.layer is not None:
        return tuple((name,) for name in _block_names(placed.layer, placed.block))
    if placed.segment.name == "stem":
        return (_stem_names(space),)
    return (_head_names(space, placed.input_shape),)


def _stem_names(space: SearchSpace) -> tuple[str, ...]:
    size = -(-space.resolution // space.stem_stride)
    return (f"Conv-input:{_text(space.input_shape)}-output:{_text((space.stem_channels, size, size))}",)


def _head_names(space: SearchSpace, shape: Shape) -> tuple[str, ...]:
    _, height, width = shape
    mixed = _text((space.head_channels, height, width))
    return (
        f"Conv_1-input:{_text(shape)}-output:{mixed}",
        f"Logits-input:{mixed}-output:{space.num_classes}",
    )


def _block_names(layer: Layer, block_name: str) -> tuple[str, ...]:
    """Return the names that a file may have for a candidate; none if it cannot describe it."""
    block = candidate_block(block_name)
    if not isinstance(block, InvertedResidual) or block.groups > 1 or block.expansion == 1:
        return ()
    shapes = f"input:{_text(layer.input_shape)}-output:{_text((layer.out_channels, *_half(layer)))}"
    rest = f"kernel:{block.kernel_size}-stride:{layer.stride}-idskip:{int(layer.keeps_shape)}"
    mid_channels = layer.in_channels * block.expansion
    return (
        f"expanded_conv-{shapes}-expand:{block.expansion}-{rest}",
        f"expanded_conv-{shapes}-expand:{mid_channels}-{rest}-se:0-hs:0",
    )


def _half(layer: Layer) -> tuple[int, int]:
    size = -(-layer.resolution // layer.stride)
    return size, size


def _text(shape: Shape) -> str:
    channels, height, width = shape
    return f"{height}x{width}x{channels}"
