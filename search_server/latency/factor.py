"""One factor k for all entries, so that whole networks are predicted as they were measured.

The entries' ratios stay untouched. What the factor leaves between measured and predicted becomes the
table's error of a whole network, so that its intervals rest on measurements.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from search_server.latency.normal import MEDIAN_ERROR, SIGMA_OVER_MAD, Z_90
from search_server.latency.table import LatencyTable

MIN_NETWORKS = 5
"""Fewest measured networks from which a factor is taken."""
MAX_SCATTER = 0.05
"""Robust relative scatter beyond which one factor does not describe what is wrong."""
MIN_CHANGE = 0.001
"""A factor nearer to 1 is not worth a new snapshot, however well it is known."""


@dataclass(frozen=True, slots=True)
class Factor:
    """The factor that measured networks ask for."""

    value: float
    error: float
    """Half-width of a 90 % interval of ``value``."""
    scatter: float
    """Robust relative scatter of measured over predicted latency."""
    network_sigma: float
    """Relative standard error for one more network; a 90 % interval is ``Z_90`` times it."""
    num_networks: int


def fit_factor(ratios: Sequence[float]) -> Factor:
    """Return the median ratio of measured over predicted latency, and how well it is known.

    Args:
        ratios: one for each of some different networks.

    Raises:
        ValueError: they are too few, scatter too much, or are 1 within their own error; with figures.
    """
    if len(ratios) < MIN_NETWORKS:
        raise ValueError(
            f"{len(ratios)} different networks are measured, {MIN_NETWORKS} are needed; measure more with "
            "'edgenas measure'"
        )
    value = statistics.median(ratios)
    scatter = SIGMA_OVER_MAD * statistics.median(abs(ratio / value - 1) for ratio in ratios)
    if scatter > MAX_SCATTER:
        raise ValueError(
            f"measured over predicted latency of {len(ratios)} networks scatters by {scatter:.1%} (limit "
            f"{MAX_SCATTER:.0%}) around {value:.3f}: one factor does not help; measure the table again "
            "with 'edgenas profile --force'"
        )
    num_free = len(ratios) - 1
    sigma = math.sqrt(sum((ratio / value - 1) ** 2 for ratio in ratios) / num_free)
    t_90 = student_t_90(num_free)
    error = t_90 * MEDIAN_ERROR * value * sigma / math.sqrt(len(ratios))
    if abs(value - 1) <= max(error, MIN_CHANGE):
        raise ValueError(
            f"the factor from {len(ratios)} networks is {value:.3f} +- {error:.3f}: 1 within its own "
            "error, so there is nothing to do"
        )
    return Factor(
        value=value,
        error=error,
        scatter=scatter,
        network_sigma=sigma * math.sqrt(1 + 1 / len(ratios)) * t_90 / Z_90,
        num_networks=len(ratios),
    )


def recalibrated(table: LatencyTable, factor: Factor, created_at: str) -> LatencyTable:
    """Return the table with all its entries, and what neighbours add, multiplied by one factor."""
    entries = {
        key: replace(
            entry,
            latency_units=entry.latency_units * factor.value,
            sigma_units=None if entry.sigma_units is None else entry.sigma_units * factor.value,
        )
        for key, entry in table.entries.items()
    }
    return replace(
        table,
        entries=entries,
        neighbours=table.neighbours.scaled(factor.value),
        network_sigma=factor.network_sigma,
        created_at=created_at,
    )


def student_t_90(num_free: int) -> float:
    """Return the half-width of a 90 % interval of Student's t, within 0.2 % from 4 degrees of freedom on.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    z = Z_90
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + math.fsum(term / num_free**power for power, term in enumerate(terms, start=1))
