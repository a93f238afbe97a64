"""Measured covers -> latency table: per-segment times, whole networks that correct them, a verdict.

Method, for covers measured in rounds with an anchor (see docs/measuring.md):

1. Profiled runs give a time per segment, by median polish over runs and segments: ``median_polish.py``.
2. Plain runs give whole networks in units of the anchor runs around them: ``relative.py``.
3. The whole networks correct the entries, tell what the profiler itself costs a node, and set the scale, by
   Bayesian linear regression: ``correction.py``.
4. The same from each half of the windows tells how far two such tables lie apart.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from search_server.latency.estimate.correction import Corrected, Observed, correct
from search_server.latency.estimate.median_polish import SegmentTime, profile_times
from search_server.latency.estimate.relative import RelativeLatency, noise_ceiling, relative_latencies
from search_server.latency.table import LatencyTable, TableEntry
from search_server.resources.tables import Verdict
from shared.protocol.device import Conditions
from shared.protocol.measurement import Result
from shared.search_space import SearchSpace, search_space
from shared.workload import IDENTITY_KEY, Workload

MAX_COVER_SCATTER = 0.03
MAX_REPEAT_MEDIAN = 0.02
MAX_REPEAT_P95 = 0.06
MAX_ANCHOR_SPREAD = 2.0
"""A device that takes twice its best time in half of the runs is half a device. Below that, networks keep
their ratios to the anchor whatever the device's speed is."""
RESTLESS_ANCHOR_SPREAD = 1.2
"""From here on a table says what its milliseconds mean."""

Array = NDArray[np.float64]


class UnfittableError(ValueError):
    """The results do not hold what a table needs; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class _Fit:
    """What some leases say of a space."""

    relative: dict[str, RelativeLatency]
    segments: dict[str, SegmentTime]
    corrected: Corrected


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
    usable = [result for result in results if result.status == "ok"]
    versions = sorted({r.runtime_version for r in usable if r.runtime_version})
    if len(versions) > 1:
        raise UnfittableError(f"results of different runtime versions do not mix: {', '.join(versions)}")
    relative = relative_latencies(usable, anchor_id)
    _require_segments(covers, relative, results)
    networks = _Networks(search_space(space), covers, families or {}, anchor_id)
    fit = _fit(networks, usable, relative)
    differences = _differences_of_halves(networks, usable)
    entries = fit.corrected.latency_units
    mean_units = fmean(entries.values())
    repeat_sigma = float(np.sqrt(np.mean(np.square(differences)))) / 2
    anchor_us = np.concatenate([r.runs.wall_us for r in usable if r.item_id == anchor_id])
    return LatencyTable(
        space=space,
        device_id=device_id,
        conditions=replace(conditions, runtime_version=versions[0] if versions else None),
        anchor_us=float(np.median(anchor_us)),
        entries={
            key: TableEntry(
                units,
                math.hypot(repeat_sigma * max(units, mean_units), fit.corrected.sigma_units[key]),
                fit.segments[key].num_samples,
            )
            for key, units in entries.items()
        },
        network_sigma=fit.corrected.network_sigma,
        neighbours=fit.corrected.neighbours,
        created_at=created_at,
        verdict=_verdict(fit, differences, anchor_us),
        is_simulated=any(result.is_simulated for result in usable),
    )


@dataclass(frozen=True, slots=True)
class _Networks:
    """What was to be measured for a table, by item id."""

    space: SearchSpace
    covers: Mapping[str, Workload]
    families: Mapping[str, Workload]
    anchor_id: str


def _require_segments(
    covers: Mapping[str, Workload], relative: Mapping[str, RelativeLatency], results: Sequence[Result]
) -> None:
    """Check that the covers that were measured plain and profiled hold all segments.

    Raises:
        UnfittableError: they do not, or nothing was profiled.
    """
    measured = _measured(covers, relative, results)
    profiled = any(result.nodes for result in results if result.status == "ok")
    if not profiled and any(result.status == "ok" for result in results):
        raise UnfittableError("the results carry no node times; lease the covers with profile_segments")
    if not measured or _segments_of(covers.values()) - _segments_of(measured.values()):
        missing = ", ".join(sorted(set(covers) - set(measured)))
        reasons = "; ".join(sorted({f"{r.status}: {r.reason}" for r in results if r.status != "ok"}))
        raise UnfittableError(f"no usable measurement of {missing} ({reasons or 'no results'})")


def _measured(
    covers: Mapping[str, Workload], relative: Mapping[str, RelativeLatency], results: Sequence[Result]
) -> dict[str, Workload]:
    """Return the covers that were measured plain and profiled."""
    profiled = {result.item_id for result in results if result.status == "ok" and result.nodes}
    return {name: covers[name] for name in covers if name in relative and name in profiled}


def _segments_of(workloads: Iterable[Workload]) -> set[str]:
    return {key for workload in workloads for key in workload.segment_keys()} - {IDENTITY_KEY}


def _fit(networks: _Networks, usable: Sequence[Result], relative: dict[str, RelativeLatency]) -> _Fit:
    """Return what these results say, for as many segments as they hold.

    Raises:
        UnfittableError: the profile shows no time in a network.
    """
    covers = _measured(networks.covers, relative, usable)
    profile = profile_times(usable, covers, {name: relative[name].ratio for name in covers})
    observed = [
        Observed(workload, relative[name].ratio, relative[name].relative_error, is_kin)
        for workloads, is_kin in ((covers, False), (networks.families, True))
        for name, workload in workloads.items()
        if name in relative and _segments_of([workload]) <= profile.segments.keys()
    ]
    for network in observed:
        if not any(profile.segments[key].wall_us for key in _segments_of([network.workload])):
            raise UnfittableError(
                "the runtime's profile shows no time at all in a whole network: its nodes take less than "
                "the profiler's microsecond; measure a wider space or a larger resolution"
            )
    return _Fit(relative, profile.segments, correct(profile, observed, networks.space))


def _differences_of_halves(networks: _Networks, usable: Sequence[Result]) -> Array:
    """Return per entry by how much tables from the two halves of the leases differ.

    Leases go to the halves in the order A B B A: families take turns by lease, half of them in each, and so
    both halves know all of them; nor is one half the earlier one.

    The differences are shares of the entry, or of the mean entry where that is larger: what a small entry
    is off matters to a network as little as it takes.

    Raises:
        UnfittableError: there are no two leases with covers.
    """
    leases = list(dict.fromkeys(r.lease_id for r in usable if r.item_id in networks.covers and r.nodes))
    if len(leases) < 2:
        raise UnfittableError(
            "one window alone does not tell how well a table repeats; measure the covers in two or more"
        )
    outer, inner = (
        {lease for index, lease in enumerate(leases) if index % 4 in places} for places in ((0, 3), (1, 2))
    )
    halves = ([r for r in usable if r.lease_id in half] for half in (outer, inner))
    one, other = (
        _fit(networks, half, relative_latencies(half, networks.anchor_id)).corrected.latency_units
        for half in halves
    )
    both = [key for key in one if key in other]
    one_E, other_E = (np.array([half[key] for key in both]) for half in (one, other))
    one_E, other_E = one_E / one_E.mean(), other_E / other_E.mean()
    differences_E: Array = (one_E - other_E) / np.maximum((one_E + other_E) / 2, 1.0)
    return differences_E


def _verdict(fit: _Fit, differences: Array, anchor_us: Array) -> Verdict:
    absolute = np.abs(differences) / math.sqrt(2)  # two tables differ less than the halves of one
    median, p95 = float(np.median(absolute)), float(np.quantile(absolute, 0.95))
    spread = float(np.median(anchor_us) / anchor_us.min())
    scatter = fit.corrected.network_sigma
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
    ceiling = noise_ceiling(fit.relative.values())
    return Verdict(not reasons, reasons, scatter, median, p95, ceiling, spread, notes)


def _restlessness(spread: float) -> str:
    return (
        f"the device changed its speed: the anchor's median exceeds its minimum by {spread - 1:.0%}; "
        "networks keep their ratios, and milliseconds are those of the median speed"
    )
