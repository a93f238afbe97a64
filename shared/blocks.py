"""Candidate blocks, FBNet's nine and their relatives, lowered to primitive operators.

Source: FBNet (arXiv 1812.03443), section 3.1 and table 2. The first 1x1 convolution is kept at
expansion 1: that is what reproduces the 249M multiply-accumulates published for FBNet-A. MobileNetV2
(arXiv 1801.04381), ProxylessNAS and once-for-all leave it out there: that is ``k3_sep``. MobileNetV3 (arXiv
1905.02244) adds squeeze-and-excite and h-swish; MobileNetV4 (arXiv 2404.10518), section 3, the universal
inverted bottleneck with a depthwise convolution before the expansion, in the middle, in both or in neither.
FBNetV2 (arXiv 2004.05565) searches channels: here a block takes one of the numbers of inner channels that
its stage offers.
"""

import re
from dataclasses import dataclass, replace

from shared.operators import Activation, BatchNorm2d, ChannelShuffle, Conv2d, Operator, SqueezeExcite
from shared.traits import ACTIVATIONS, NO_TRAITS, Traits, activation
from shared.workload import Segment


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
    """0: the stage says how many inner channels there are, see ``choice``."""
    groups: int = 1
    first_kernel_size: int = 0
    """Of the depthwise convolution before the expansion; 0: none."""
    traits: Traits = NO_TRAITS
    choice: int = 0
    """Which of the inner channels that its stage offers it takes, from 1; 0: none, by its expansion."""

    @property
    def name(self) -> str:
        first = f"d{self.first_kernel_size}_" if self.first_kernel_size else ""
        middle = f"k{self.kernel_size}_" if self.kernel_size else ""
        inner = f"c{self.choice}" if self.choice else f"e{self.expansion:g}"
        groups = f"_g{self.groups}" if self.groups > 1 else ""
        return f"{first}{middle}{inner}{groups}{self.traits.suffix}"

    def inner_channels(self, in_channels: int, traits: Traits) -> int:
        """Return the channels between the 1x1 convolutions, with the traits of the block's stage.

        Raises:
            ValueError: the stage does not offer as many choices.
        """
        if not self.choice:
            return expanded_channels(in_channels, self.expansion)
        if self.choice > len(traits.inner_channels):
            raise ValueError(
                f"{self.name} takes choice {self.choice} of the inner channels of its stage, "
                f"which offers {len(traits.inner_channels)}"
            )
        return traits.inner_channels[self.choice - 1]

    def lower(
        self, name: str, in_channels: int, out_channels: int, stride: int, traits: Traits = NO_TRAITS
    ) -> Segment:
        """Return the block as a segment called ``name``, with the traits of its stage.

        Raises:
            ValueError: the block does not fit.
        """
        traits = self.traits.joined(traits)
        act = activation(traits.activation)
        mid = self.inner_channels(in_channels, traits)
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
    def choice(self) -> int:
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
    r"(?:d(?P<first>[357])_)?(?:k(?P<kernel>[357])_)?(?:c(?P<choice>[1-9])|"
    r"e(?P<expansion>[1-6](?:\.[1-9])?)(?:_g(?P<groups>[2-9]|[1-9][0-9]))?))"
    r"(?P<squeeze>_se)?(?:_(?P<activation>r6|hs))?"
)


def candidate_block(name: str) -> CandidateBlock:
    """Return the block of this name.

    It is ``skip``; or ``k3_sep``; or kernel, expansion, groups as in ``k7_e4_g2``, with ``d5_`` before it
    for a depthwise convolution that comes first, and without ``k7_`` for none in the middle. ``c2`` instead
    of expansion and groups takes the second of the numbers of inner channels that its stage offers. Behind
    all but ``skip`` may stand ``_se`` for squeeze-and-excite, then ``_hs`` or ``_r6`` for h-swish or ReLU6.

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
            "without a first 1x1 convolution: k3_sep; or c1 to c9 in place of expansion and groups, a "
            "choice among the inner channels that its stage offers: k3_c2. _se behind it is "
            "squeeze-and-excite, _hs h-swish, _r6 ReLU6: k5_e6_se_hs"
        )
    traits = Traits(bool(match["squeeze"]), ACTIVATIONS.get(match["activation"], "relu"))
    if match["only"]:
        return Separable(int(match["only"]), traits)
    expansion = match["expansion"] or "0"
    return InvertedResidual(
        int(match["kernel"] or 0),
        float(expansion) if "." in expansion else int(expansion),
        int(match["groups"] or 1),
        int(match["first"] or 0),
        traits,
        int(match["choice"] or 0),
    )


def channel_choice(name: str) -> int:
    """Return which of its stage's inner channels the block of this name takes, from 1; 0: it has none."""
    block = candidate_block(name)
    return 0 if isinstance(block, Skip) else block.choice


def narrowest_choice(name: str) -> str | None:
    """Return the first of the blocks that differ from this one in their choice of channels alone.

    None: the block of this name has no choice.
    """
    block = candidate_block(name)
    return replace(block, choice=1).name if isinstance(block, InvertedResidual) and block.choice else None


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
