"""An architecture: one candidate block per layer; parsed from text, lowered to a workload.

Source of the known networks: FBNet (arXiv 1812.03443), figure 4 and the released model definitions.
FBNet-B exists twice: the paper's figure and the release differ at layer 11. MobileNetV3 (arXiv 1905.02244),
table 1; MobileNetV4 (arXiv 2404.10518), the table of MNv4-Conv-S; HardCoRe-NAS (arXiv 2102.11646), the
released model definitions.
"""

import random
from dataclasses import dataclass, replace

from shared.blocks import narrowest_choice
from shared.search_space import SearchSpace, search_space
from shared.workload import Segment, Workload


@dataclass(frozen=True, slots=True)
class Architecture:
    """A choice of one candidate block for each layer of a search space."""

    space: SearchSpace
    blocks: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.blocks) != self.space.num_layers:
            raise ValueError(
                f"an architecture of space {self.space.name!r} has {self.space.num_layers} blocks, "
                f"got {len(self.blocks)}"
            )
        for layer, block in zip(self.space.layers, self.blocks, strict=True):
            self.space.candidate(layer, block)

    def __str__(self) -> str:
        return ",".join(self.blocks)

    @property
    def indices(self) -> tuple[int, ...]:
        """The index of each block among the space's candidates."""
        return tuple(self.space.candidates.index(block) for block in self.blocks)

    def workload(self) -> Workload:
        """Return the network: stem, one segment a layer, head."""
        body: list[Segment] = [
            self.space.candidate(layer, block)
            for layer, block in zip(self.space.layers, self.blocks, strict=True)
        ]
        return Workload(self.space.input_shape, (self.space.stem(), *body, self.space.head()))


@dataclass(frozen=True, slots=True)
class KnownArchitecture:
    """A published network: the space it lives in and its blocks, as text."""

    space: str
    blocks: str


_HARDCORE_SPACE = (
    "hardcorenas:resolution=224,classes=1000,stem=32s2,stages=16x1s1-24x4s2-40x4s2-80x4s2_hs-112x4s1_hs-"
    "192x4s2_hs,head=960-1280,activation=hswish,blocks=k3_sep-k3_e3-k3_e3_se-k5_e3-k5_e3_se-k5_e4-k5_e6-"
    "k5_e6_se-skip"
)

KNOWN_ARCHITECTURES: dict[str, KnownArchitecture] = {
    "fbnet-a": KnownArchitecture(
        "fbnet-224:head=1504",
        "skip,k3_e3,k3_e1,skip,skip,k5_e6,k3_e3,k5_e1,k3_e3,k5_e6,k5_e3,k5_e1_g2,k5_e6,k3_e6,k5_e1_g2,"
        "k5_e3,k3_e1_g2,k5_e6,k5_e6,k5_e3,k5_e6,k5_e6",
    ),
    "fbnet-b": KnownArchitecture(
        "fbnet-224",
        "k3_e1,k3_e6,k5_e1,k3_e1,k3_e1,k5_e6,k5_e3,k3_e6,k5_e6,k5_e6,k5_e1,skip,k5_e3,k5_e6,k3_e1,"
        "k5_e1,k5_e3,k5_e6,k5_e1,k5_e6,k5_e6,k3_e6",
    ),
    "fbnet-b-release": KnownArchitecture(
        "fbnet-224",
        "k3_e1,k3_e6,k5_e1,k3_e1,k3_e1,k5_e6,k5_e3,k3_e6,k5_e6,k5_e6,k5_e6,skip,k5_e3,k5_e6,k3_e1,"
        "k5_e1,k5_e3,k5_e6,k5_e1,k5_e6,k5_e6,k3_e6",
    ),
    "fbnet-c": KnownArchitecture(
        "fbnet-224",
        "k3_e1,k3_e6,skip,k3_e1,k3_e1,k5_e6,k5_e3,k5_e6,k3_e6,k5_e6,k5_e3,k5_e6,k5_e6,k5_e6,k5_e6,"
        "k5_e6,k5_e3,k5_e6,k5_e6,k5_e6,k5_e6,k3_e6",
    ),
    "fbnet-s8": KnownArchitecture(
        "fbnet-224:head=1504",
        "k3_e1,k3_e3,k3_e1,skip,skip,k5_e6,k3_e3,k3_e3,k3_e6,k5_e6,k5_e3,k5_e3,k5_e3,k3_e6,k5_e3,"
        "k5_e3,k5_e3,k5_e6,k5_e6,k5_e3,k5_e6,k5_e6",
    ),
    "fbnet-iphonex": KnownArchitecture(
        "fbnet-224:head=1504",
        "skip,k3_e6,k3_e1,k3_e1,k3_e1,k3_e6,k3_e6,k3_e6,k3_e6,k3_e6,k3_e6,k3_e3,k3_e6,k3_e6,k3_e3,"
        "k3_e3,k3_e3,k5_e6,k5_e6,k5_e6,k5_e3,k5_e6",
    ),
    "fbnet-96-035-1": KnownArchitecture(
        "fbnet-96-035",
        "k3_e1,k3_e6,k3_e6,skip,skip,k5_e6,k5_e6,skip,skip,k5_e6,skip,skip,skip,k3_e6,skip,skip,skip,"
        "k5_e6,k5_e6,skip,skip,k5_e6",
    ),
    "mobilenetv3-large": KnownArchitecture(
        "mobilenetv3-large:resolution=224,classes=1000,stem=16s2,stages=16x1s1-24x2s2-40x3s2_se-80x4s2_hs-"
        "112x2s1_se_hs-160x3s2_se_hs,head=960-1280,activation=hswish,"
        "blocks=k3_sep-k3_e2.3-k3_e2.5-k3_e3-k3_e4-k3_e6-k5_e3-k5_e6",
        "k3_sep,k3_e4,k3_e3,k5_e3,k5_e3,k5_e3,k3_e6,k3_e2.5,k3_e2.3,k3_e2.3,k3_e6,k3_e6,k5_e6,k5_e6,k5_e6",
    ),
    "mobilenetv4-conv-s": KnownArchitecture(
        "mobilenetv4-224",
        "d5_k5_e3,k3_e2,k3_e2,k3_e2,k3_e2,d3_e4,d3_k3_e6,d5_k5_e4,k5_e4,k5_e3,k3_e4,k3_e4",
    ),
    "hardcorenas-a": KnownArchitecture(
        _HARDCORE_SPACE,
        "k3_sep,k5_e3,k5_e3_se,skip,skip,k5_e3,k5_e6_se,skip,skip,k5_e6_se,k5_e6_se,skip,skip,"
        "k5_e6_se,k5_e6_se,skip,skip,k5_e6_se,k5_e6_se,skip,skip",
    ),
    "hardcorenas-c": KnownArchitecture(
        _HARDCORE_SPACE,
        "k3_sep,k5_e3,k5_e3_se,skip,skip,k5_e3,k5_e3,k5_e3,k5_e3,k5_e4,k5_e6_se,k3_e3,k3_e3,"
        "k5_e6_se,k3_e3,k3_e3,k3_e3,k5_e6_se,k5_e6_se,k3_e3_se,skip",
    ),
}


def parse_architecture(text: str, space: SearchSpace | None = None) -> Architecture:
    """Return the architecture that a text names: a known name, or blocks separated by commas.

    A known network brings its own head and candidates. In another space of as many layers (another width or
    resolution, say) its blocks are taken over with that space's own head. One block name alone stands
    for a network of that block in every layer. Without a space, only a known name can be parsed.

    Raises:
        ValueError: unknown name or block, wrong number of blocks; the message says what exists.
    """
    known = KNOWN_ARCHITECTURES.get(text.strip().lower().replace("_", "-"))
    if known is not None:
        home = search_space(known.space)
        if space is None or home == replace(
            space, name=home.name, head_channels=home.head_channels, candidates=home.candidates
        ):
            space = home
        return Architecture(space, tuple(known.blocks.split(",")))
    if space is None:
        raise ValueError(
            f"unknown architecture {text!r}; name a space, or one of {', '.join(KNOWN_ARCHITECTURES)}"
        )
    blocks = tuple(part.strip() for part in text.split(","))
    if len(blocks) == 1:
        if blocks[0] not in space.candidates:
            raise ValueError(
                f"unknown architecture {text!r}; the known ones are {', '.join(KNOWN_ARCHITECTURES)}, "
                f"a block name alone means that block everywhere ({', '.join(space.candidates)})"
            )
        return uniform_architecture(space, blocks[0])
    return Architecture(space, blocks)


def uniform_architecture(space: SearchSpace, block: str) -> Architecture:
    """Return the network with one block in every layer."""
    return Architecture(space, (block,) * space.num_layers)


def anchor_architecture(space: SearchSpace) -> Architecture:
    """Return the network in whose time all entries are expressed: the middle-sized uniform one."""
    if "k3_e3" in space.candidates:
        return uniform_architecture(space, "k3_e3")
    first = narrowest_choice(space.candidates[0])
    alike = [block for block in space.candidates if first and narrowest_choice(block) == first]
    return uniform_architecture(space, alike[len(alike) // 2] if alike else space.candidates[0])


def random_architecture(space: SearchSpace, generator: random.Random) -> Architecture:
    """Return a network drawn uniformly from the space."""
    return Architecture(space, tuple(generator.choices(space.candidates, k=space.num_layers)))
