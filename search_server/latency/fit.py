"""Measured covers -> latency table: per-node times, one profiler cost, one scale, a verdict.

Method, for covers measured in rounds with an anchor (see docs/measuring.md):

1. A node's time is the mean of the lower half of its samples; contention only ever adds time, and a
   mean resolves what the profiler's whole microseconds hide from a minimum.
2. A segment's time is the sum over its nodes of ``max(node - c, 0)``; an entry is the mean over the
   covers and layers in which its segment stands.
3. The profiler's own cost per node ``c`` is the value in 0..6 us with the least scatter of measured over
   predicted latency of the covers; the one scale ``k`` is the median of that ratio.
4. Entries are pulled towards what networks of one candidate throughout say, see ``families.py``; then the
   covers set ``k`` anew.

Plain runs are only ever used as ratios to the anchor run right before them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from search_server.latency.families import family_factors
from search_server.latency.table import Z_90, LatencyTable, TableEntry
from search_server.resources.tables import Verdict
from shared.device import Conditions
from shared.measurement import Result, RunSamples
from shared.workload import IDENTITY_KEY, Workload

MAX_COVER_SCATTER = 0.03
MAX_REPEAT_MEDIAN = 0.02
MAX_REPEAT_P95 = 0.06
MAX_ANCHOR_SPREAD = 1.35

LEVEL_SIGMA = 0.02
"""Relative error of a table's level that its own covers cannot show; see docs/measuring.md."""

MIN_JUDGED_UNITS = 0.01
"""Entries below this share of the anchor do not count for the repeatability of a table."""

Array = NDArray[np.float64]
_NodeTimes = dict[tuple[str, str, str], list[Array]]
"""(cover, segment, node) -> samples, one array a lease, microseconds."""

_PROFILER_COST_US = np.arange(0.0, 6.25, 0.25)


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
        item_id: _relative_latency(leases, float(np.median(walls[item_id])))
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
    """Return the latency table that the results of some leases of the same items give.

    Args:
        space: the search space's string.
        device_id: who measured.
        conditions: as asked for; the runtime's version is taken from the results.
        covers: the cover networks by item id.
        anchor_id: the anchor's item id.
        results: results of all leases so far; only status ``ok`` counts.
        created_at: UTC, ISO 8601.
        families: networks with one candidate throughout, by item id; None leaves the entries as they are.

    Raises:
        UnfittableError: a cover or the anchor has no usable result.
    """
    usable = [result for result in results if result.status == "ok"]
    relative = relative_latencies(usable, anchor_id)
    missing = sorted(set(covers) - set(relative))
    if missing:
        reasons = "; ".join(sorted({f"{r.status}: {r.reason}" for r in results if r.status != "ok"}))
        raise UnfittableError(f"no usable measurement of {', '.join(missing)} ({reasons or 'no results'})")
    measured_units = {cover: relative[cover].ratio for cover in covers}
    nodes = _node_times(usable, covers)

    def cost_scatter(cost_us: float) -> float:
        return _scale_and_scatter(covers, _entries(covers, nodes, cost_us)[0], measured_units)[1]

    cost_us = min(_PROFILER_COST_US, key=cost_scatter)
    entries_us, counts = _entries(covers, nodes, cost_us)
    scale, scatter = _scale_and_scatter(covers, entries_us, measured_units)
    if scatter == float("inf"):
        raise UnfittableError(
            "the runtime's profile shows no time at all in a cover network: its nodes take less than the "
            "profiler's microsecond; measure a wider space or a larger resolution"
        )
    units = {key: us * scale for key, us in entries_us.items()}
    factors = family_factors(units, families or {}, {name: one.ratio for name, one in relative.items()})
    entries_us = {key: us * factors.get(key, 1.0) for key, us in entries_us.items()}
    scale, scatter = _scale_and_scatter(covers, entries_us, measured_units)
    differences = _odd_even_differences(covers, nodes, cost_us, min_us=MIN_JUDGED_UNITS / scale)
    sigma = float(np.sqrt(np.mean(np.square(differences)))) / 2
    anchor_us = np.concatenate([r.runs.wall_us for r in usable if r.item_id == anchor_id])
    verdict = _verdict(scatter, differences, _noise_ceiling(usable, covers, anchor_id), anchor_us)
    versions = sorted({r.runtime_version for r in usable if r.runtime_version})
    if len(versions) > 1:
        raise UnfittableError(f"results of different runtime versions do not mix: {', '.join(versions)}")
    return LatencyTable(
        space=space,
        device_id=device_id,
        conditions=replace(conditions, runtime_version=versions[0] if versions else None),
        anchor_us=float(np.median(anchor_us)),
        entries={
            key: TableEntry(us * scale, us * scale * sigma, counts[key]) for key, us in entries_us.items()
        },
        network_sigma=float(np.hypot(scatter, LEVEL_SIGMA)),
        created_at=created_at,
        verdict=verdict,
        is_simulated=any(result.is_simulated for result in usable),
    )


def _ratios_to_anchor(runs: RunSamples, anchor: RunSamples) -> Array:
    """Divide each run by the anchor run that started last before it."""
    before = np.searchsorted(np.asarray(anchor.start_us), np.asarray(runs.start_us)) - 1
    is_paired = before >= 0
    ratios: Array = np.asarray(runs.wall_us)[is_paired] / np.asarray(anchor.wall_us)[before[is_paired]]
    return ratios


def _relative_latency(leases: Sequence[Array], raw_us: float) -> RelativeLatency:
    pooled = np.concatenate(leases)
    ratio = float(np.median(pooled))
    mad = 1.4826 * float(np.median(np.abs(pooled - ratio)))
    error = 1.2533 * mad / np.sqrt(len(pooled))
    if len(leases) > 1:
        medians = [float(np.median(lease)) for lease in leases]
        error = max(error, float(np.std(medians, ddof=1)) / np.sqrt(len(leases)))
    return RelativeLatency(ratio, ratio - Z_90 * error, ratio + Z_90 * error, raw_us, len(pooled))


def _node_times(results: Sequence[Result], covers: Mapping[str, Workload]) -> _NodeTimes:
    nodes: _NodeTimes = defaultdict(list)
    for result in results:
        if result.item_id not in covers:
            continue
        for node in result.nodes:
            if node.wall_us:
                nodes[result.item_id, node.segment, node.name].append(np.asarray(node.wall_us))
    if not nodes:
        raise UnfittableError("the results carry no node times; lease the covers with profile_segments")
    return nodes


def _lower_half_mean(samples: Array) -> float:
    return float(np.sort(samples)[: max(1, len(samples) // 2)].mean())


def _entries(
    covers: Mapping[str, Workload], nodes: _NodeTimes, cost_us: float
) -> tuple[dict[str, float], dict[str, int]]:
    """Return each segment key's time in microseconds and the number of samples behind it."""
    segment_us: dict[tuple[str, str], float] = defaultdict(float)
    segment_samples: dict[tuple[str, str], int] = {}
    for (cover, name, _), leases in nodes.items():
        samples = np.concatenate(leases)
        segment_us[cover, name] += max(_lower_half_mean(samples) - cost_us, 0.0)
        segment_samples[cover, name] = len(samples)
    times: dict[str, list[float]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    for cover, workload in covers.items():
        for segment, key in zip(workload.segments, workload.segment_keys(), strict=True):
            if key != IDENTITY_KEY:
                times[key].append(segment_us[cover, segment.name])
                counts[key] += segment_samples.get((cover, segment.name), 0)
    return {key: float(np.mean(values)) for key, values in times.items()}, counts


def _scale_and_scatter(
    covers: Mapping[str, Workload], entries_us: Mapping[str, float], measured_units: Mapping[str, float]
) -> tuple[float, float]:
    """Return k, units per microsecond, and the relative scatter of measured over predicted.

    The scatter is infinite if nothing is left of a cover.
    """
    predicted_us = np.array(
        [
            sum(entries_us[key] for key in workload.segment_keys() if key != IDENTITY_KEY)
            for workload in covers.values()
        ]
    )
    if not predicted_us.all():
        return float("nan"), float("inf")
    ratios = np.array([measured_units[cover] for cover in covers]) / predicted_us
    return float(np.median(ratios)), float(np.std(np.log(ratios), ddof=1))


def _odd_even_differences(
    covers: Mapping[str, Workload], nodes: _NodeTimes, cost_us: float, min_us: float
) -> Array:
    """Return per entry the relative difference between two halves: of leases, or of one's samples.

    Entries below ``min_us`` are left out: no network's latency depends on them.
    """
    halves = []
    for parity in (0, 1):
        half: _NodeTimes = {
            name: leases[parity::2] if len(leases) > 1 else [leases[0][parity::2]]
            for name, leases in nodes.items()
        }
        halves.append(_entries(covers, half, cost_us)[0])
    odd, even = (np.array([half[key] for key in halves[0]]) for half in halves)
    is_judged = (odd + even) / 2 >= min_us
    odd, even = odd[is_judged] / odd.sum(), even[is_judged] / even.sum()
    differences: Array = 2 * (odd - even) / (odd + even)
    return differences


def _noise_ceiling(results: Sequence[Result], covers: Mapping[str, Workload], anchor_id: str) -> float:
    """Return the mean relative difference between odd and even leases' latencies of the covers."""
    leases = sorted({result.lease_id for result in results})
    if len(leases) < 2:
        return float("nan")
    odd, even = (
        relative_latencies([r for r in results if r.lease_id in leases[parity::2]], anchor_id)
        for parity in (0, 1)
    )
    common = [cover for cover in covers if cover in odd and cover in even]
    return float(np.mean([abs(odd[cover].ratio / even[cover].ratio - 1) for cover in common]))


def _verdict(scatter: float, differences: Array, noise_ceiling: float, anchor_us: Array) -> Verdict:
    absolute = np.abs(differences)
    median, p95 = float(np.median(absolute)), float(np.quantile(absolute, 0.95))
    spread = float(np.median(anchor_us) / anchor_us.min())
    checks = (
        ("covers scatter around their prediction", scatter, MAX_COVER_SCATTER),
        ("the median entry differs between two halves of the leases", median, MAX_REPEAT_MEDIAN),
        ("one entry in twenty differs between two halves of the leases", p95, MAX_REPEAT_P95),
        ("the anchor's median exceeds its minimum", spread - 1, MAX_ANCHOR_SPREAD - 1),
    )
    reasons = tuple(
        f"{text} by {value:.1%} (limit {limit:.1%})" for text, value, limit in checks if not value <= limit
    )
    return Verdict(not reasons, reasons, scatter, median, p95, noise_ceiling, spread)
