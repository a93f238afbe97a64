"""Cover networks: whole networks in which each (layer, candidate) pair occurs exactly once.

Timing a block alone is biased by call overhead, layout reorders at the graph's borders and caches that
are too warm or too cold. Here every candidate is timed in every layer in the company of others.
"""

import random
from collections.abc import Mapping

from shared.architecture import Architecture, uniform_architecture
from shared.search_space import SearchSpace


def cover_architectures(space: SearchSpace, seed: int) -> tuple[Architecture, ...]:
    """Return K networks for K candidates; in each layer they carry a random permutation of them."""
    generator = random.Random(seed)
    columns = [generator.sample(space.candidates, k=len(space.candidates)) for _ in range(space.num_layers)]
    return tuple(Architecture(space, tuple(blocks)) for blocks in zip(*columns, strict=True))


def anchor_architecture(space: SearchSpace) -> Architecture:
    """Return the network in whose time all entries are expressed: the middle-sized uniform one."""
    return uniform_architecture(space, "k3_e3" if "k3_e3" in space.candidates else space.candidates[0])


def family_architectures(space: SearchSpace) -> Mapping[str, Architecture]:
    """Return by candidate the network that has it in every layer; without skip, which is no network."""
    blocks = [block for block in space.candidates if block != "skip"]
    return {block: uniform_architecture(space, block) for block in blocks}
