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

from shared.blocks import candidate_block
from shared.search_space import SearchSpace

CANDIDATE_SIGMA = 0.02
RESOLUTION_SIGMA = 0.01
ENTRY_SIGMA = 0.02
"""Relative corrections of a candidate, at a resolution, of one entry alone."""
FIXED_SIGMA = 0.14
"""... of what stands in no layer, stem and head: they are like nothing else of a space, and how long a
head's parameters take to be read changes from minute to minute."""
FIRST_SIGMA = 0.05
"""... of the first layer's blocks that expand, all alike. A run begins with caches that have lost part of
what it needs; the profile charges that to what comes first, and most to what is largest there."""
CORRECTION_SCALES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Factors on all of these, tried one by one."""
SCALE_OCTAVES = 0.7
"""How far the factor probably is from 1. Where all were as probable, sixty networks asked at times for four
times what others of the same device did, and entries followed their noise."""

Array = NDArray[np.floating[Any]]


def correction_prior(keys: Sequence[str], space: SearchSpace) -> Array:
    """Return the covariance (E, E) of the relative corrections of these entries, at scale 1.

    Args:
        keys: segment keys of the entries; what is no candidate of the space is stem or head.
        space: says which entries are of one candidate, at one resolution, or in the first layer.
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
        CANDIDATE_SIGMA**2 * (blocks[:, None] == blocks)
        + RESOLUTION_SIGMA**2 * (resolutions[:, None] == resolutions)
        + FIRST_SIGMA**2 * (is_wide_first_E[:, None] & is_wide_first_E)
        + np.diag(ENTRY_SIGMA**2 + FIXED_SIGMA**2 * is_fixed_E)
    )
    return prior_EE


def log_scale_density(scale: float) -> float:
    """Return the logarithm of how probable a factor (above 0) on all corrections is, but for a constant."""
    return -0.5 * (math.log2(scale) / SCALE_OCTAVES) ** 2


def _wide_first_keys(space: SearchSpace) -> set[str]:
    """Return the segment keys of the first layer's blocks that expand."""
    return {
        placed.key
        for placed in next(space.candidate_segments())
        if getattr(candidate_block(placed.block), "expansion", 1) > 1
    }
