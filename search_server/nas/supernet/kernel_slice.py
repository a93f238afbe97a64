"""Which part of a layer's super-kernel a candidate takes, and which batch norms it has.

Each candidate has batch norms of its own, since their statistics differ. Candidates that differ in their
choice of channels alone share the inner ones: a channel inside sees the same in the narrow block as in the
wide one.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from shared.operators import ChannelShuffle, Conv2d, SqueezeExcite
from shared.workload import Segment


class KernelSlice:
    """Which part of a super-kernel an inverted residual or a separable block takes."""

    def __init__(self, segment: Segment) -> None:
        """Find it.

        Raises:
            ValueError: the segment is no such block.
        """
        convs = [operator for operator in segment.operators if isinstance(operator, Conv2d)]
        pointwise = [conv for conv in convs if not _is_depthwise(conv)]
        if not convs or convs[-1] not in pointwise or not 1 <= len(pointwise) <= 2 or len(convs) < 2:
            raise ValueError(f"segment {segment.name!r} is no inverted residual")
        project = convs[-1]
        self.has_expand = len(pointwise) == 2
        at = convs.index(pointwise[0]) if self.has_expand else 0
        before, middle = (convs[:at], convs[at + 1 : -1]) if self.has_expand else ([], convs[:-1])
        if max(len(before), len(middle)) > 1 or project.kernel_size * project.stride > 1:
            raise ValueError(f"segment {segment.name!r} has more convolutions than an inverted residual")
        self.first_kernel_size = before[0].kernel_size if before else 0
        self.kernel_size = middle[0].kernel_size if middle else 0
        """0: no depthwise convolution in the middle."""
        self.in_channels, self.out_channels = convs[0].in_channels, project.out_channels
        self.hidden, self.groups = project.in_channels, project.groups
        self.norm_channels = tuple(conv.out_channels for conv in convs)
        self.squeeze = next((o for o in segment.operators if isinstance(o, SqueezeExcite)), None)
        is_shuffled = any(isinstance(operator, ChannelShuffle) for operator in segment.operators)
        if is_shuffled != (self.groups > 1) or pointwise[0].groups != self.groups:
            raise ValueError(f"segment {segment.name!r} has groups that a slice cannot have")

    def hidden_order(self) -> Tensor:
        """Return the hidden channel that stands at each position behind the shuffle."""
        return torch.arange(self.hidden).view(self.groups, -1).t().flatten()


def kernel_slice(segment: Segment) -> KernelSlice | None:
    """Return the part that a candidate takes; None: it takes none, as a skip."""
    try:
        return KernelSlice(segment)
    except ValueError:
        return None


def norm_places(
    slices: Sequence[KernelSlice | None], families: Sequence[int | str]
) -> tuple[list[int], list[tuple[int, ...]]]:
    """Return the channels of a layer's batch norms, and for each candidate the places of its own.

    Args:
        slices: of each candidate; None: it has no norm here.
        families: candidates of one family differ in their choice of channels alone.
    """
    channels: list[int] = []
    places: list[tuple[int, ...]] = []
    inner_places: dict[int | str, range] = {}
    for part, family in zip(slices, families, strict=True):
        if part is None:
            places.append(())
            continue
        if family not in inner_places:
            parts = zip(slices, families, strict=True)
            inner = [each.norm_channels[:-1] for each, its in parts if each is not None and its == family]
            widest = [max(sizes) for sizes in zip(*inner, strict=True)]
            inner_places[family] = range(len(channels), len(channels) + len(widest))
            channels += widest
        places.append((*inner_places[family], len(channels)))
        channels.append(part.norm_channels[-1])
    return channels, places


def centre(weight_C1HW: Tensor, kernel_size: int) -> Tensor:
    """Return the centre of depthwise kernels."""
    border = (weight_C1HW.shape[-1] - kernel_size) // 2
    return weight_C1HW[:, :, border:-border, border:-border] if border else weight_C1HW


def block_diagonal(weight_OI11: Tensor, groups: int) -> Tensor:
    """Return the weight ``(O, I / groups, 1, 1)`` of a grouped convolution: the diagonal blocks."""
    rows, columns = weight_OI11.shape[0] // groups, weight_OI11.shape[1] // groups
    return torch.cat(
        [weight_OI11[g * rows : (g + 1) * rows, g * columns : (g + 1) * columns] for g in range(groups)]
    )


def _is_depthwise(conv: Conv2d) -> bool:
    return conv.groups == conv.in_channels == conv.out_channels
