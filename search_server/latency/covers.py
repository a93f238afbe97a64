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


def family_architectures(space: SearchSpace) -> Mapping[str, Architecture]:
    """Return by candidate the network that has it in every layer.

    That of skips is no network to use, but it tells what a run takes that computes next to nothing: without
    it, networks of few blocks were predicted at half to 0.85 of their time.
    """
    return {block: uniform_architecture(space, block) for block in space.candidates}


def window_architectures(
    space: SearchSpace, window: int, first_seed: int = 0
) -> tuple[dict[str, Architecture], dict[str, Architecture]]:
    """Return the covers and the families that a window of a profile measures, by item id.

    Each window draws its own covers, so that every candidate is measured beside several others and the
    level of a table comes from several times K networks. Families take turns, half of them a window.

    Args:
        space: the search space.
        window: counts the windows of a table from 0.
        first_seed: of the first window's covers.
    """
    covers = cover_architectures(space, first_seed + window)
    families = list(family_architectures(space).items())[window % 2 :: 2]
    return (
        {f"cover{window}_{index}": cover for index, cover in enumerate(covers)},
        {f"family_{block}": family for block, family in families},
    )
