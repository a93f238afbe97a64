"""How far a table's entries are probably off before whole networks tell.

Entries of one candidate are probably off alike, and so are entries at one resolution; one factor tells how
far, and differs from device to device. Stem, head and the first layer have reasons of their own to be off.

Shape letters: E entries.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_server.latency.estimate.assumptions import Assumptions
from shared.blocks import candidate_block
from shared.search_space import SearchSpace

Array = NDArray[np.floating[Any]]


def correction_prior(keys: Sequence[str], space: SearchSpace, assumptions: Assumptions) -> Array:
    """Return the covariance (E, E) of the relative corrections of these entries, at scale 1.

    Args:
        keys: segment keys of the entries; what is no candidate of the space is stem or head.
        space: says which entries are of one candidate, at one resolution, or in the first layer.
        assumptions: how far each is probably off.
    """
    kinds: dict[str, tuple[str, int]] = {}
    for placed in space.segments():
        if placed.layer is not None:
            kinds.setdefault(placed.key, (placed.block, placed.layer.resolution))
    blocks, resolutions = (
        np.array([str(kinds[key][part]) if key in kinds else key for key in keys]) for part in (0, 1)
    )
    is_fixed_E = np.array([key not in kinds for key in keys])
    wide_first = _wide_first_keys(space)
    is_wide_first_E = np.array([key in wide_first for key in keys])
    prior_EE: Array = (
        assumptions.candidate_sigma**2 * (blocks[:, None] == blocks)
        + assumptions.resolution_sigma**2 * (resolutions[:, None] == resolutions)
        + assumptions.first_sigma**2 * (is_wide_first_E[:, None] & is_wide_first_E)
        + np.diag(assumptions.entry_sigma**2 + assumptions.fixed_sigma**2 * is_fixed_E)
    )
    return prior_EE


def log_scale_density(scale: float, octaves: float) -> float:
    """Return the logarithm of how probable a factor (above 0) on all corrections is, but for a constant.

    Args:
        scale: the factor.
        octaves: standard deviation of its binary logarithm.
    """
    return -0.5 * (math.log2(scale) / octaves) ** 2


def _wide_first_keys(space: SearchSpace) -> set[str]:
    """Return the segment keys of the first layer's blocks that expand."""
    return {
        placed.key
        for placed in next(space.candidate_segments())
        if getattr(candidate_block(placed.block), "expansion", 1) > 1
    }
