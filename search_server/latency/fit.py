"""Measured covers -> latency table: per-node times, whole networks that correct them, a verdict.

Method, for covers measured in rounds with an anchor (see docs/measuring.md):

1. A node's time is the mean of the lower half of its samples; contention only ever adds time, and a
   mean resolves what the profiler's whole microseconds hide from a minimum.
2. A segment's time is the sum over its nodes of ``max(node - c, 0)``; an entry is the mean over the
   covers and layers in which its segment stands.
3. The totals of whole networks correct the entries and set their scale, see ``correction.py``. The
   profiler's own cost per node ``c`` is the value in 0..6 us with which they agree best.

Plain runs are only ever used as ratios to the anchor run right before them.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from search_server.latency.correction import Corrected, Observed, correct
from search_server.latency.node_times import NodeTimes, node_times, odd_even_differences, segment_times
from search_server.latency.table import Z_90, LatencyTable, TableEntry
from search_server.resources.tables import Verdict
from shared.device import Conditions
from shared.measurement import Result, RunSamples
from shared.search_space import SearchSpace, search_space
from shared.workload import IDENTITY_KEY, Workload

MAX_COVER_SCATTER = 0.03
MAX_REPEAT_MEDIAN = 0.02
MAX_REPEAT_P95 = 0.06
MAX_ANCHOR_SPREAD = 1.35

LEVEL_SIGMA = 0.02
"""Relative error of a table's level that its own covers cannot show; see docs/measuring.md."""

MIN_JUDGED_UNITS = 0.01
"""Entries below this share of the anchor do not count for the repeatability of a table."""

_PROFILER_COST_US = np.arange(0.0, 6.25, 0.25)

Array = NDArray[np.float64]


class UnfittableError(ValueError):
    """The results do not hold what a table needs; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class RelativeLatency:
    """A whole network against the anchor run right before it."""

    ratio: float
    low: float
    high: float
    """A 90 % interval of ``ratio``."""
    raw_us: float
    """Median wall time as it was."""
    num_samples: int
    lease_ratios: tuple[float, ...]
    """The median of each lease by itself."""

    @property
    def relative_error(self) -> float:
        """Standard error of ``ratio``, as a share of it."""
        return (self.high - self.low) / (2 * Z_90 * self.ratio)


def relative_latencies(results: Sequence[Result], anchor_id: str) -> dict[str, RelativeLatency]:
    """Return the latency of each whole network in units of the anchor.

    Args:
        results: any number of leases' results; only status ``ok`` counts.
        anchor_id: the item that ran before every other item in each of these leases.
    """
    anchors = {r.lease_id: r.runs for r in results if r.item_id == anchor_id and r.status == "ok"}
    ratios: dict[str, list[Array]] = defaultdict(list)
    walls: dict[str, list[float]] = defaultdict(list)
    for result in results:
        if result.status == "ok" and result.item_id != anchor_id and result.lease_id in anchors:
            ratios[result.item_id].append(_ratios_to_anchor(result.runs, anchors[result.lease_id]))
            walls[result.item_id].extend(result.runs.wall_us)
    return {
        item_id: _relative_latency([lease for lease in leases if len(lease)], walls[item_id])
        for item_id, leases in ratios.items()
        if sum(map(len, leases))
    }


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
        UnfittableError: a segment, or the anchor, has no usable result.
    """
    usable = [result for result in results if result.status == "ok"]
    relative = relative_latencies(usable, anchor_id)
    measured = _measured_covers(covers, relative, results)
    nodes = node_times(usable, measured, {name: one.ratio for name, one in relative.items()})
    networks = [Observed(workload, relative[name].ratio, False) for name, workload in measured.items()]
    networks += [
        Observed(workload, relative[name].ratio, True)
        for name, workload in (families or {}).items()
        if name in relative
    ]
    cost_us, corrected = _best_fit(measured, nodes, networks, search_space(space))
    errors = corrected.left_out_errors[: len(measured)]
    scatter = _scatter(errors, [relative[name].relative_error for name in measured])
    entries, counts = corrected.latency_units, segment_times(measured, nodes, cost_us)[1]
    differences = odd_even_differences(
        measured, nodes, cost_us, min_share=MIN_JUDGED_UNITS / sum(entries.values())
    )
    sigma = float(np.sqrt(np.mean(np.square(differences)))) / 2
    anchor_us = np.concatenate([r.runs.wall_us for r in usable if r.item_id == anchor_id])
    verdict = _verdict(scatter, differences, _noise_ceiling(relative.values()), anchor_us)
    versions = sorted({r.runtime_version for r in usable if r.runtime_version})
    if len(versions) > 1:
        raise UnfittableError(f"results of different runtime versions do not mix: {', '.join(versions)}")
    return LatencyTable(
        space=space,
        device_id=device_id,
        conditions=replace(conditions, runtime_version=versions[0] if versions else None),
        anchor_us=float(np.median(anchor_us)),
        entries={key: TableEntry(units, units * sigma, counts[key]) for key, units in entries.items()},
        network_sigma=float(np.hypot(scatter, LEVEL_SIGMA)),
        created_at=created_at,
        verdict=verdict,
        is_simulated=any(result.is_simulated for result in usable),
    )


def _measured_covers(
    covers: Mapping[str, Workload], relative: Mapping[str, RelativeLatency], results: Sequence[Result]
) -> dict[str, Workload]:
    """Return the covers that were measured plain and profiled, if they hold all segments.

    Raises:
        UnfittableError: they do not, or nothing was profiled.
    """
    profiled = {result.item_id for result in results if result.status == "ok" and result.nodes}
    if relative and not profiled:
        raise UnfittableError("the results carry no node times; lease the covers with profile_segments")
    measured = {name: covers[name] for name in covers if name in relative and name in profiled}
    lacking = _segments_of(covers.values()) - _segments_of(measured.values())
    if lacking or not measured:
        missing = ", ".join(sorted(set(covers) - set(measured)))
        reasons = "; ".join(sorted({f"{r.status}: {r.reason}" for r in results if r.status != "ok"}))
        raise UnfittableError(f"no usable measurement of {missing} ({reasons or 'no results'})")
    return measured


def _segments_of(workloads: Iterable[Workload]) -> set[str]:
    return {key for workload in workloads for key in workload.segment_keys()} - {IDENTITY_KEY}


def _best_fit(
    covers: Mapping[str, Workload], nodes: NodeTimes, networks: Sequence[Observed], space: SearchSpace
) -> tuple[float, Corrected]:
    """Return the profiler's cost per node with which the networks agree best, and the entries.

    Raises:
        UnfittableError: the profile shows no time in a network.
    """
    fits: list[tuple[float, Corrected]] = []
    for cost_us in _PROFILER_COST_US:
        entries_us = segment_times(covers, nodes, cost_us)[0]
        if any(
            sum(entries_us[key] for key in network.workload.segment_keys() if key != IDENTITY_KEY) == 0
            for network in networks
        ):
            break
        fits.append((float(cost_us), correct(entries_us, networks, space)))
    if not fits:
        raise UnfittableError(
            "the runtime's profile shows no time at all in a whole network: its nodes take less than the "
            "profiler's microsecond; measure a wider space or a larger resolution"
        )
    return min(fits, key=lambda fit: fit[1].misfit)


def _scatter(left_out_errors: Array, measuring_errors: Sequence[float]) -> float:
    """Return by how much covers differ from predictions without them, their own noise taken out."""
    variance = float(np.mean(np.square(left_out_errors)) - np.mean(np.square(measuring_errors)))
    return math.sqrt(max(variance, 0.0))


def _ratios_to_anchor(runs: RunSamples, anchor: RunSamples) -> Array:
    """Divide each run by the anchor run that started last before it."""
    before = np.searchsorted(np.asarray(anchor.start_us), np.asarray(runs.start_us)) - 1
    is_paired = before >= 0
    ratios: Array = np.asarray(runs.wall_us)[is_paired] / np.asarray(anchor.wall_us)[before[is_paired]]
    return ratios


def _relative_latency(leases: Sequence[Array], walls_us: Sequence[float]) -> RelativeLatency:
    pooled = np.concatenate(leases)
    ratio = float(np.median(pooled))
    mad = 1.4826 * float(np.median(np.abs(pooled - ratio)))
    error = 1.2533 * mad / np.sqrt(len(pooled))
    medians = tuple(float(np.median(lease)) for lease in leases)
    if len(leases) > 1:
        error = max(error, float(np.std(medians, ddof=1)) / np.sqrt(len(leases)))
    return RelativeLatency(
        ratio,
        ratio - Z_90 * error,
        ratio + Z_90 * error,
        float(np.median(walls_us)),
        len(pooled),
        medians,
    )


def _noise_ceiling(relative: Iterable[RelativeLatency]) -> float:
    """Return the mean relative difference between odd and even leases' latencies of the same networks."""
    repeated = [one.lease_ratios for one in relative if len(one.lease_ratios) > 1]
    if not repeated:
        return float("nan")
    return fmean(abs(fmean(ratios[::2]) / fmean(ratios[1::2]) - 1) for ratios in repeated)


def _verdict(scatter: float, differences: Array, noise_ceiling: float, anchor_us: Array) -> Verdict:
    absolute = np.abs(differences) / math.sqrt(2)  # two tables differ less than halves of one
    median, p95 = float(np.median(absolute)), float(np.quantile(absolute, 0.95))
    spread = float(np.median(anchor_us) / anchor_us.min())
    checks = (
        ("covers scatter around predictions without them", scatter, MAX_COVER_SCATTER),
        ("the median entry would differ between two such tables", median, MAX_REPEAT_MEDIAN),
        ("one entry in twenty would differ between two such tables", p95, MAX_REPEAT_P95),
        ("the anchor's median exceeds its minimum", spread - 1, MAX_ANCHOR_SPREAD - 1),
    )
    reasons = tuple(
        f"{text} by {value:.1%} (limit {limit:.1%})" for text, value, limit in checks if not value <= limit
    )
    return Verdict(not reasons, reasons, scatter, median, p95, noise_ceiling, spread)
