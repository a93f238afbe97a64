"""Candidate blocks, FBNet's nine and their relatives, lowered to primitive operators.

Source: FBNet (arXiv 1812.03443), section 3.1 and table 2. The first 1x1 convolution is kept at
expansion 1: that is what reproduces the 249M multiply-accumulates published for FBNet-A. MobileNetV2
(arXiv 1801.04381), ProxylessNAS and once-for-all leave it out there: that is ``k3_sep``.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from shared.operators import BatchNorm2d, ChannelShuffle, Conv2d, Operator, ReLU
from shared.workload import Segment


@dataclass(frozen=True, slots=True)
class InvertedResidual:
    """1x1 conv (groups) + BN + ReLU, shuffle if grouped, depthwise k x k + BN + ReLU, 1x1 conv + BN.

    The two 1x1 convolutions carry the groups; the block is residual where the shape allows it.
    """

    kernel_size: int
    expansion: int
    groups: int = 1

    @property
    def name(self) -> str:
        suffix = f"_g{self.groups}" if self.groups > 1 else ""
        return f"k{self.kernel_size}_e{self.expansion}{suffix}"

    def lower(self, name: str, in_channels: int, out_channels: int, stride: int) -> Segment:
        """Return the block as a segment called ``name``."""
        mid = in_channels * self.expansion
        operators: list[Operator] = [
            Conv2d(in_channels, mid, groups=self.groups),
            BatchNorm2d(mid),
            ReLU(),
        ]
        if self.groups > 1:
            operators.append(ChannelShuffle(self.groups))
        operators += [
            Conv2d(mid, mid, self.kernel_size, stride, groups=mid),
            BatchNorm2d(mid),
            ReLU(),
            Conv2d(mid, out_channels, groups=self.groups),
            BatchNorm2d(out_channels),
        ]
        return Segment(name, tuple(operators), residual=stride == 1 and in_channels == out_channels)


@dataclass(frozen=True, slots=True)
class Separable:
    """Depthwise k x k + BN + ReLU, 1x1 conv + BN: an inverted residual whose first 1x1 conv is left out.

    The block is residual where the shape allows it.
    """

    kernel_size: int
    expansion: ClassVar[int] = 1
    """As many channels in the middle as it takes."""
    groups: ClassVar[int] = 1

    @property
    def name(self) -> str:
        return f"k{self.kernel_size}_sep"

    def lower(self, name: str, in_channels: int, out_channels: int, stride: int) -> Segment:
        """Return the block as a segment called ``name``."""
        operators = (
            Conv2d(in_channels, in_channels, self.kernel_size, stride, groups=in_channels),
            BatchNorm2d(in_channels),
            ReLU(),
            Conv2d(in_channels, out_channels),
            BatchNorm2d(out_channels),
        )
        return Segment(name, operators, residual=stride == 1 and in_channels == out_channels)


@dataclass(frozen=True, slots=True)
class Skip:
    """Identity where the shape allows it, else a strided 1x1 conv + BN + ReLU."""

    @property
    def name(self) -> str:
        return "skip"

    def lower(self, name: str, in_channels: int, out_channels: int, stride: int) -> Segment:
        """Return the block as a segment called ``name``; without operators if it is an identity."""
        if stride == 1 and in_channels == out_channels:
            return Segment(name, ())
        operators = (Conv2d(in_channels, out_channels, stride=stride), BatchNorm2d(out_channels), ReLU())
        return Segment(name, operators)


CandidateBlock = InvertedResidual | Separable | Skip

CANDIDATES: tuple[CandidateBlock, ...] = (
    InvertedResidual(3, 1),
    InvertedResidual(3, 1, groups=2),
    InvertedResidual(3, 3),
    InvertedResidual(3, 6),
    InvertedResidual(5, 1),
    InvertedResidual(5, 1, groups=2),
    InvertedResidual(5, 3),
    InvertedResidual(5, 6),
    Skip(),
)
"""In the index order of the paper's tables and of HW-NAS-Bench."""

CANDIDATE_NAMES: tuple[str, ...] = tuple(block.name for block in CANDIDATES)

_NAME = re.compile(r"k([357])_(?:sep|e([1-6])(?:_g([2-9]|[1-9][0-9]))?)")


def candidate_block(name: str) -> CandidateBlock:
    """Return the block of this name: ``skip``, ``k3_sep``, or kernel, expansion, groups as in ``k7_e4_g2``.

    Raises:
        ValueError: this is no block's name; the message says what they look like.
    """
    if name == "skip":
        return Skip()
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(
            f"unknown block {name!r}; a block is skip, or kernel 3, 5 or 7, expansion 1 to 6, and groups "
            "if there are any: k3_e6, k5_e1_g2; or kernel and sep, without a first 1x1 convolution: k3_sep"
        )
    kernel_size, expansion, groups = (int(text) if text else 1 for text in match.groups())
    if name.endswith("_sep"):
        return Separable(kernel_size)
    return InvertedResidual(kernel_size, expansion, groups)
