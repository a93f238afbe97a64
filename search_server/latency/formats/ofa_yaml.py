"""Once-for-all's latency tables: which of a file's blocks fill which cells of a space.

Source: Cai et al., "Once-for-All" (ICLR 2020) and "ProxylessNAS" (ICLR 2019), their latency lookup tables.
Two notations of the expansion exist: a factor, or, with ``se`` and ``hs`` behind it, a number of channels.
The error of a mean follows from the file's variance and count; without a variance it is unknown.

Their block of expansion 1 has no first 1x1 convolution (``inverted_bottleneck`` is None in their
``MBInvertedConvLayer`` and ``MBConvLayer``): it is ``k3_sep`` here, and never ``k3_e1``. They have neither
groups, strided skips, ReLU6 nor a depthwise convolution before the expansion. Cells of such blocks stay
missing, and so do a stem of several convolutions and a head with a layer behind pooling.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from search_server.latency.formats.ofa_file import OfaBlock, read_ofa_file
from search_server.latency.formats.reading import ImportedFile, ReadLatency, ReadTable, table_of_latencies
from shared.blocks import InvertedResidual, Separable, candidate_block
from shared.macro_architecture import PlacedSegment
from shared.operators import Shape
from shared.protocol.device import Conditions
from shared.search_space import Layer, SearchSpace
from shared.workload import IDENTITY_KEY

_CONDITIONS = Conditions(runtime="litert")
"""The public tables were measured with TensorFlow Lite on one thread of a phone."""

_KINDS = ("sep", "e2", "e3", "e4", "e5", "e6")
_BLOCKS = tuple(f"k{kernel_size}_{kind}" for kind in _KINDS for kernel_size in (3, 5, 7))
"""What such a file can describe."""


def read_ofa_yaml(file: ImportedFile) -> ReadTable:
    """Return the table that the file's blocks give for a space.

    Raises:
        ValueError: not such a file, a latency is impossible, no space was named, or no cell of it is there.
    """
    space = file.require_space()
    known = read_ofa_file(file.content)
    latencies: dict[str, ReadLatency] = {}
    for placed in space.segments():
        found = [sums for sums in _names(space, placed) if all(name in known for name in sums)]
        if len(found) > 1:
            raise ValueError(f"{found[0][0]} and {found[1][0]} describe the same block; keep one")
        if found:
            latencies[placed.key] = _sum_of([known[name] for name in found[0]])
    read = table_of_latencies(
        file, space, latencies, file.conditions or _CONDITIONS, source="once-for-all latency table"
    )
    return replace(read, remarks=(*read.remarks, *_absent_candidates(space, known, latencies)))


def _absent_candidates(
    space: SearchSpace, known: Mapping[str, OfaBlock], latencies: Mapping[str, ReadLatency]
) -> tuple[str, ...]:
    """Return a remark on each layer without a cell for which the file has blocks that are no candidates."""
    remarks = []
    for layer, row in zip(space.layers, space.candidate_segments(), strict=True):
        if any(placed.key in latencies or placed.key == IDENTITY_KEY for placed in row):
            continue
        others = [block for block in _BLOCKS if any(name in known for name in _block_names(layer, block))]
        if others:
            remarks.append(
                f"{layer.name} has no cell, so no network can be predicted: the file has "
                f"{', '.join(others)} there, which are no candidates of the space; name them among its "
                "candidates and import again"
            )
    return tuple(remarks)


def _sum_of(parts: Sequence[OfaBlock]) -> ReadLatency:
    """Return the sum of parts that were measured apart from each other."""
    variances = [block.variance_of_mean for block in parts]
    known = [variance for variance in variances if variance is not None]
    return ReadLatency(
        us=1000 * sum(block.mean_ms for block in parts),
        sigma_us=1000 * math.sqrt(sum(known)) if len(known) == len(parts) else None,
        num_samples=min(block.count or 0 for block in parts),
    )


def _names(space: SearchSpace, placed: PlacedSegment) -> tuple[tuple[str, ...], ...]:
    """Return the ways in which a file may describe a segment, each the names whose times add up to its."""
    if placed.layer is not None:
        return tuple((name,) for name in _block_names(placed.layer, placed.block))
    if placed.segment.name == "stem":
        return () if space.stem_tail else (_stem_names(space),)
    if space.head_features:
        return ()
    return _head_names(space, placed.input_shape)


def _stem_names(space: SearchSpace) -> tuple[str, ...]:
    size = -(-space.resolution // space.stem_stride)
    return (f"Conv-input:{_text(space.input_shape)}-output:{_text((space.stem_channels, size, size))}",)


def _head_names(space: SearchSpace, shape: Shape) -> tuple[tuple[str, ...], ...]:
    """Return both ways: pooling as a part of ``Logits``, or by itself, as tables of MobileNetV3 have it."""
    _, height, width = shape
    mixed, pooled = _text((space.head_channels, height, width)), _text((space.head_channels, 1, 1))
    conv = f"Conv_1-input:{_text(shape)}-output:{mixed}"
    return (
        (conv, f"Logits-input:{mixed}-output:{space.num_classes}"),
        (
            conv,
            f"AvgPool2D-input:{mixed}-output:{pooled}",
            f"Logits-input:{pooled}-output:{space.num_classes}",
        ),
    )


def _block_names(layer: Layer, block_name: str) -> tuple[str, ...]:
    """Return the names that a file may have for a candidate; none if it cannot describe it."""
    block = candidate_block(block_name)
    if not isinstance(block, InvertedResidual | Separable):
        return ()
    traits = block.traits.joined(layer.traits)
    mid_channels = layer.in_channels
    if isinstance(block, InvertedResidual):
        mid_channels = block.inner_channels(layer.in_channels, traits)
        is_theirs = mid_channels != layer.in_channels and block.kernel_size and not block.first_kernel_size
        if block.groups > 1 or not is_theirs:
            return ()
    if traits.activation == "relu6":
        return ()
    shapes = f"input:{_text(layer.input_shape)}-output:{_text((layer.out_channels, *_half(layer)))}"
    rest = f"kernel:{block.kernel_size}-stride:{layer.stride}-idskip:{int(layer.keeps_shape)}"
    squeeze, swish = int(traits.has_squeeze), int(traits.activation == "hswish")
    by_channels = f"expanded_conv-{shapes}-expand:{mid_channels}-{rest}-se:{squeeze}-hs:{swish}"
    by_factor = f"expanded_conv-{shapes}-expand:{block.expansion:g}-{rest}"
    return (by_channels,) if squeeze or swish or not block.expansion else (by_factor, by_channels)


def _half(layer: Layer) -> tuple[int, int]:
    size = -(-layer.resolution // layer.stride)
    return size, size


def _text(shape: Shape) -> str:
    channels, height, width = shape
    return f"{height}x{width}x{channels}"
