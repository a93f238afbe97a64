"""Candidate blocks, FBNet's nine and their relatives, lowered to primitive operators.

Source: FBNet (arXiv 1812.03443), section 3.1 and table 2. The first 1x1 convolution is kept at
expansion 1: that is what reproduces the 249M multiply-accumulates published for FBNet-A. MobileNetV2
(arXiv 1801.04381), ProxylessNAS and once-for-all leave it out there: that is ``k3_sep``. MobileNetV3 (arXiv
1905.02244) adds squeeze-and-excite and h-swish; MobileNetV4 (arXiv 2404.10518), section 3, the universal
inverted bottleneck with a depthwise convolution before the expansion, in the middle, in both or in neither.
"""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from shared.operators import (
    Activation,
    BatchNorm2d,
    ChannelShuffle,
    Conv2d,
    HSwish,
    Operator,
    ReLU,
    ReLU6,
    SqueezeExcite,
)
from shared.workload import Segment

ActivationName = Literal["relu", "relu6", "hswish"]
"""What follows the convolutions of a block but its last."""
ACTIVATIONS: dict[str, ActivationName] = {"r6": "relu6", "hs": "hswish"}
"""Endings of names, for all but ReLU."""
_OPERATORS: dict[ActivationName, Activation] = {"relu": ReLU(), "relu6": ReLU6(), "hswish": HSwish()}


def activation(name: ActivationName) -> Activation:
    """Return the operator of an activation's name.

    Raises:
        ValueError: there is no such activation.
    """
    if name not in _OPERATORS:
        raise ValueError(f"an activation is {', '.join(get_args(ActivationName))}, got {name!r}")
    return _OPERATORS[name]


@dataclass(frozen=True, slots=True)
class Traits:
    """What a block has besides its convolutions; a stage gives its traits to all of its blocks."""

    has_squeeze: bool = False
    """Squeeze-and-excite before the last convolution."""
    activation: ActivationName = "relu"

    @property
    def suffix(self) -> str:
        """What they add to a name, such as ``_se_hs``; empty for none."""
        ending = next((key for key, name in ACTIVATIONS.items() if name == self.activation), "")
        return ("_se" if self.has_squeeze else "") + (f"_{ending}" if ending else "")

    def joined(self, other: "Traits") -> "Traits":
        """Return the traits of both; of two activations that of the other, unless it is ReLU."""
        name = self.activation if other.activation == "relu" else other.activation
        return Traits(self.has_squeeze or other.has_squeeze, name)


NO_TRAITS = Traits()


@dataclass(frozen=True, slots=True)
class InvertedResidual:
    """The universal inverted bottleneck, with groups; FBNet's block is one with three fields set.

    Depthwise conv + BN (with a ``first_kernel_size``); 1x1 conv (groups) + BN + activation, shuffle if
    grouped; depthwise conv + BN + activation (with a ``kernel_size``); squeeze-and-excite if asked for; 1x1
    conv (groups) + BN. The stride lies in the second depthwise convolution, else in the first, else in the
    first 1x1 convolution. The block is residual where the shape allows it.
    """

    kernel_size: int
    """Of the depthwise convolution in the middle; 0: none."""
    expansion: float
    groups: int = 1
    first_kernel_size: int = 0
    """Of the depthwise convolution before the expansion; 0: none."""
    traits: Traits = NO_TRAITS

    @property
    def name(self) -> str:
        first = f"d{self.first_kernel_size}_" if self.first_kernel_size else ""
        middle = f"k{self.kernel_size}_" if self.kernel_size else ""
        groups = f"_g{self.groups}" if self.groups > 1 else ""
        return f"{first}{middle}e{self.expansion:g}{groups}{self.traits.suffix}"

    def lower(
        self, name: str, in_channels: int, out_channels: int, stride: int, traits: Traits = NO_TRAITS
    ) -> Segment:
        """Return the block as a segment called ``name``, with the traits of its stage."""
        traits = self.traits.joined(traits)
        act = activation(traits.activation)
        mid = expanded_channels(in_channels, self.expansion)
        operators: list[Operator] = []
        first_stride = expand_stride = 1
        if not self.kernel_size:
            first_stride, expand_stride = (stride, 1) if self.first_kernel_size else (1, stride)
        if self.first_kernel_size:
            operators += [
                Conv2d(in_channels, in_channels, self.first_kernel_size, first_stride, groups=in_channels),
                BatchNorm2d(in_channels),
            ]
        expand = Conv2d(in_channels, mid, stride=expand_stride, groups=self.groups)
        operators += [expand, BatchNorm2d(mid), act]
        if self.groups > 1:
            operators.append(ChannelShuffle(self.groups))
        if self.kernel_size:
            operators += _depthwise(mid, self.kernel_size, stride, act)
        operators += _ending(mid, out_channels, self.groups, traits)
        return Segment(name, tuple(operators), residual=stride == 1 and in_channels == out_channels)


@dataclass(frozen=True, slots=True)
class Separable:
    """An inverted residual whose first 1x1 conv is left out: depthwise conv, then 1x1 conv, with BNs.

    The block is residual where the shape allows it.
    """

    kernel_size: int
    traits: Traits = NO_TRAITS

    @property
    def expansion(self) -> int:
        """As many channels in the middle as it takes."""
        return 1

    @property
    def groups(self) -> int:
        return 1

    @property
    def first_kernel_size(self) -> int:
        return 0

    @property
    def name(self) -> str:
        return f"k{self.kernel_size}_sep{self.traits.suffix}"

    def lower(
        self, name: str, in_channels: int, out_channels: int, stride: int, traits: Traits = NO_TRAITS
    ) -> Segment:
        """Return the block as a segment called ``name``, with the traits of its stage."""
        traits = self.traits.joined(traits)
        operators = (
            *_depthwise(in_channels, self.kernel_size, stride, activation(traits.activation)),
            *_ending(in_channels, out_channels, 1, traits),
        )
        return Segment(name, operators, residual=stride == 1 and in_channels == out_channels)


@dataclass(frozen=True, slots=True)
class Skip:
    """Identity where the shape allows it, else a strided 1x1 conv + BN + activation."""

    @property
    def name(self) -> str:
        return "skip"

    def lower(
        self, name: str, in_channels: int, out_channels: int, stride: int, traits: Traits = NO_TRAITS
    ) -> Segment:
        """Return the block as a segment called ``name``; without operators if it is an identity."""
        if stride == 1 and in_channels == out_channels:
            return Segment(name, ())
        conv = Conv2d(in_channels, out_channels, stride=stride)
        return Segment(name, (conv, BatchNorm2d(out_channels), activation(traits.activation)))


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

_NAME = re.compile(
    r"(?:k(?P<only>[357])_sep|"
    r"(?:d(?P<first>[357])_)?(?:k(?P<kernel>[357])_)?e(?P<expansion>[1-6](?:\.[1-9])?)"
    r"(?:_g(?P<groups>[2-9]|[1-9][0-9]))?)"
    r"(?P<squeeze>_se)?(?:_(?P<activation>r6|hs))?"
)


def candidate_block(name: str) -> CandidateBlock:
    """Return the block of this name.

    It is ``skip``; or ``k3_sep``; or kernel, expansion, groups as in ``k7_e4_g2``, with ``d5_`` before it
    for a depthwise convolution that comes first, and without ``k7_`` for none in the middle. Behind all but
    ``skip`` may stand ``_se`` for squeeze-and-excite, then ``_hs`` or ``_r6`` for h-swish or ReLU6.

    Raises:
        ValueError: this is no block's name; the message says what they look like.
    """
    if name == "skip":
        return Skip()
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(
            f"unknown block {name!r}; a block is skip, or kernel 3, 5 or 7, expansion 1 to 6, and groups "
            "if there are any: k3_e6, k5_e1_g2; d3_ before it is a depthwise convolution that comes first, "
            "and without kernel there is none in the middle: d3_k5_e4, d3_e4, e4; or kernel and sep, "
            "without a first 1x1 convolution: k3_sep. _se behind it is squeeze-and-excite, _hs h-swish, "
            "_r6 ReLU6: k5_e6_se_hs"
        )
    traits = Traits(bool(match["squeeze"]), ACTIVATIONS.get(match["activation"], "relu"))
    if match["only"]:
        return Separable(int(match["only"]), traits)
    return InvertedResidual(
        int(match["kernel"] or 0),
        float(match["expansion"]) if "." in match["expansion"] else int(match["expansion"]),
        int(match["groups"] or 1),
        int(match["first"] or 0),
        traits,
    )


def expanded_channels(channels: int, expansion: float) -> int:
    """Return the channels between the 1x1 convolutions; with a fraction, the nearest multiple of 8."""
    if expansion == int(expansion):
        return channels * int(expansion)
    return max(8, int(channels * expansion + 4) // 8 * 8)


def squeezed_channels(channels: int) -> int:
    """Return a quarter of the channels as MobileNetV3 has it: the nearest multiple of 8, not 10 % below."""
    quarter = channels / 4
    squeezed = max(8, int(quarter + 4) // 8 * 8)
    return squeezed + 8 if squeezed < 0.9 * quarter else squeezed


def _depthwise(channels: int, kernel_size: int, stride: int, act: Activation) -> list[Operator]:
    return [Conv2d(channels, channels, kernel_size, stride, groups=channels), BatchNorm2d(channels), act]


def _ending(mid: int, out_channels: int, groups: int, traits: Traits) -> list[Operator]:
    squeeze: list[Operator] = []
    if traits.has_squeeze:
        squeeze.append(SqueezeExcite(mid, squeezed_channels(mid)))
    return [*squeeze, Conv2d(mid, out_channels, groups=groups), BatchNorm2d(out_channels)]
