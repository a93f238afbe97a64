"""Measured covers -> latency table: per-segment times, whole networks that correct them, a verdict.

Method, for covers measured in rounds with an anchor (see docs/measuring.md):

1. Profiled runs give a time per segment, by median polish over runs and segments: ``median_polish.py``.
2. Plain runs give whole networks in units of the anchor runs around them: ``relative.py``.
3. The whole networks correct the entries, tell what the profiler itself costs a node, and set the scale, by
   Bayesian linear regression: ``correction.py``.
4. The same from each half of the windows tells how far two such tables lie apart.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from search_server.latency.estimate.assumptions import USUAL, Assumptions
from search_server.latency.estimate.correction import correct
from search_server.latency.estimate.observations import (
    Networks,
    Observations,
    UnfittableError,
    observe,
    require_segments,
)
from search_server.latency.estimate.relative import noise_ceiling, relative_latencies
from search_server.latency.table import LatencyTable, TableEntry
from search_server.latency.verdict import Verdict
from shared.protocol.device import Conditions
from shared.protocol.measurement import Result
from shared.search_space import search_space
from shared.workload import Workload

MAX_COVER_SCATTER = 0.03
MAX_REPEAT_MEDIAN = 0.02
MAX_REPEAT_P95 = 0.06
MAX_ANCHOR_SPREAD = 2.0
"""A device that takes twice its best time in half of the runs is half a device. Below that, networks keep
their ratios to the anchor whatever the device's speed is."""
RESTLESS_ANCHOR_SPREAD = 1.2
"""From here on a table says what its milliseconds mean."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that a table is made of, before anything is assumed."""

    space: str
    device_id: str
    conditions: Conditions
    """With the runtime's version."""
    created_at: str
    anchor_us: Array
    """Each run of the anchor."""
    noise_ceiling: float
    whole: Observations
    halves: tuple[Observations, Observations]
    """What each half of the leases says."""
    is_simulated: bool


def fit_table(
    space: str,
    device_id: str,
    conditions: Conditions,
    covers: Mapping[str, Workload],
    anchor_id: str,
    results: Sequence[Result],
    created_at: str,
    families: Mapping[str, Workload] | None = None,
) -> LatencyTable:
    """Return the latency table that the results of some leases give.

    Args:
        space: the search space's string.
        device_id: who measured.
        conditions: as asked for; the runtime's version is taken from the results.
        covers: the cover networks of all leases by item id. A cover that has no usable result is done
            without, as long as the others hold its segments.
        anchor_id: the anchor's item id.
        results: results of all leases so far; only status ``ok`` counts.
        created_at: UTC, ISO 8601.
        families: networks with one candidate throughout, by item id.

    Raises:
        UnfittableError: a segment, or the anchor, has no usable result; or all are of one lease.
    """
    networks = Networks(covers, families or {}, anchor_id)
    return table_of(gather(space, device_id, conditions, networks, results, created_at))


def gather(
    space: str,
    device_id: str,
    conditions: Conditions,
    networks: Networks,
    results: Sequence[Result],
    created_at: str,
) -> Gathered:
    """Return what the results say, for :func:`table_of`; arguments and Raises as in :func:`fit_table`."""
    usable = [result for result in results if result.status == "ok"]
    versions = sorted({r.runtime_version for r in usable if r.runtime_version})
    if len(versions) > 1:
        raise UnfittableError(f"results of different runtime versions do not mix: {', '.join(versions)}")
    relative = relative_latencies(usable, networks.anchor_id)
    require_segments(networks, relative, results)
    whole = observe(networks, relative, usable)
    one, other = (
        observe(networks, relative_latencies(half, networks.anchor_id), half)
        for half in _halves(networks, usable)
    )
    return Gathered(
        space,
        device_id,
        replace(conditions, runtime_version=versions[0] if versions else None),
        created_at,
        np.concatenate([r.runs.wall_us for r in usable if r.item_id == networks.anchor_id]),
        noise_ceiling(relative.values()),
        whole,
        (one, other),
        any(result.is_simulated for result in usable),
    )


def table_of(gathered: Gathered, assumptions: Assumptions = USUAL) -> LatencyTable:
    """Return the table that is most probable by what was measured and what is assumed."""
    space = search_space(gathered.space)
    corrected = correct(gathered.whole, space, assumptions)
    one, other = (correct(half, space, assumptions).latency_units for half in gathered.halves)
    differences = _differences(one, other)
    entries = corrected.latency_units
    mean_units = fmean(entries.values())
    repeat_sigma = float(np.sqrt(np.mean(np.square(differences)))) / 2
    return LatencyTable(
        space=gathered.space,
        device_id=gathered.device_id,
        conditions=gathered.conditions,
        anchor_us=float(np.median(gathered.anchor_us)),
        entries={
            key: TableEntry(
                units,
                math.hypot(repeat_sigma * max(units, mean_units), corrected.sigma_units[key]),
                gathered.whole.profile.segments[key].num_samples,
            )
            for key, units in entries.items()
        },
        network_sigma=corrected.network_sigma,
        neighbours=corrected.neighbours,
        created_at=gathered.created_at,
        verdict=_verdict(gathered, corrected.network_sigma, differences),
        is_simulated=gathered.is_simulated,
    )


def _halves(networks: Networks, usable: Sequence[Result]) -> Iterator[list[Result]]:
    """Yield the results of each half of the leases.

    Leases go to the halves in the order A B B A: families take turns by lease, half of them in each, and so
    both halves know all of them; nor is one half the earlier one.

    Raises:
        UnfittableError: there are no two leases with covers.
    """
    leases = list(dict.fromkeys(r.lease_id for r in usable if r.item_id in networks.covers and r.nodes))
    if len(leases) < 2:
        raise UnfittableError(
            "one window alone does not tell how well a table repeats; measure the covers in two or more"
        )
    for places in ((0, 3), (1, 2)):
        half = {lease for index, lease in enumerate(leases) if index % 4 in places}
        yield [result for result in usable if result.lease_id in half]


def _differences(one: Mapping[str, float], other: Mapping[str, float]) -> Array:
    """Return per entry by how much two tables differ, each of them in units of its mean entry.

    The differences are shares of the entry, or of the mean entry where that is larger: what a small entry
    is off matters to a network as little as it takes.
    """
    both = [key for key in one if key in other]
    one_E, other_E = (np.array([table[key] for key in both]) for table in (one, other))
    one_E, other_E = one_E / one_E.mean(), other_E / other_E.mean()
    differences_E: Array = (one_E - other_E) / np.maximum((one_E + other_E) / 2, 1.0)
    return differences_E


def _verdict(gathered: Gathered, scatter: float, differences: Array) -> Verdict:
    absolute = np.abs(differences) / math.sqrt(2)  # two tables differ less than the halves of one
    median, p95 = float(np.median(absolute)), float(np.quantile(absolute, 0.95))
    spread = float(np.median(gathered.anchor_us) / gathered.anchor_us.min())
    checks = (
        ("covers scatter around predictions without them", scatter, MAX_COVER_SCATTER),
        ("the median entry would differ between two such tables", median, MAX_REPEAT_MEDIAN),
        ("one entry in twenty would differ between two such tables", p95, MAX_REPEAT_P95),
        ("the anchor's median exceeds its minimum", spread - 1, MAX_ANCHOR_SPREAD - 1),
    )
    reasons = tuple(
        f"{text} by {value:.1%} (limit {limit:.1%})" for text, value, limit in checks if not value <= limit
    )
    notes = (_restlessness(spread),) if spread > RESTLESS_ANCHOR_SPREAD else ()
    return Verdict(not reasons, reasons, scatter, median, p95, gathered.noise_ceiling, spread, notes)


def _restlessness(spread: float) -> str:
    return (
        f"the device changed its speed: the anchor's median exceeds its minimum by {spread - 1:.0%}; "
        "networks keep their ratios, and milliseconds are those of the median speed"
    )
