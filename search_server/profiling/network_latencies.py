"""Latencies of whole networks from the results of a job's leases. Pure."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from search_server.latency.estimate.relative import RelativeLatency, relative_latencies
from search_server.profiling.evidence import Evidence, Failed, noise_of, reasons_of
from search_server.profiling.plan import ANCHOR_ID, net_id
from search_server.resources.latencies import MeasuredLatency
from shared.architecture import Architecture
from shared.protocol.measurement import Result


@dataclass(frozen=True, slots=True)
class Measured:
    """Networks have latencies; ``lacking`` names those that have none, and why."""

    latencies: tuple[MeasuredLatency, ...]
    lacking: str


def network_latencies(
    evidence: Evidence, architectures: Sequence[Architecture], level_us: float | None, now: datetime
) -> Measured | Failed:
    """Express each network in units of the anchor and bring it to a level.

    Args:
        evidence: the results of all groups.
        architectures: the networks, in the order of their item ids.
        level_us: the anchor's latency in the reference table; None takes its median in these runs.
        now: stands in for a result's own time where it has none.
    """
    relative: dict[str, tuple[RelativeLatency, float]] = {}
    for group in sorted({group for group, _ in evidence.leases}):
        results = [r for other, lease in evidence.leases if other == group for r in lease]
        for item_id, latency in relative_latencies(results, ANCHOR_ID).items():
            relative[item_id] = latency, level_us or anchor_median_us(results)
    latencies: list[MeasuredLatency] = []
    lacking: list[str] = []
    for index, architecture in enumerate(architectures):
        results = [result for result in evidence.results if result.item_id == net_id(index)]
        if net_id(index) not in relative:
            lacking.append(f"{architecture} ({reasons_of(results) or 'the anchor was not measured'})")
            continue
        latency, anchor_level_us = relative[net_id(index)]
        latencies.append(
            MeasuredLatency(
                architecture=str(architecture),
                latency_us=latency.ratio * anchor_level_us,
                raw_latency_us=latency.raw_us,
                low_us=latency.low * anchor_level_us,
                high_us=latency.high * anchor_level_us,
                num_samples=latency.num_samples,
                measured_at=evidence.measured_at(results, now),
                is_simulated=any(result.is_simulated for result in results),
                cpu_us=_over_runs(results, "cpu_us", statistics.median),
                switches_per_run=_over_runs(results, "involuntary_switches", statistics.fmean),
                faults_per_run=_over_runs(results, "minor_faults", statistics.fmean),
                noise=noise_of(results),
            )
        )
    if not latencies:
        return Failed(f"no network could be measured: {'; '.join(lacking)}")
    return Measured(tuple(latencies), f"not measured: {'; '.join(lacking)}" if lacking else "")


def anchor_median_us(results: Iterable[Result]) -> float:
    """Return the median latency of the anchor, microseconds, over all of its runs that count."""
    return statistics.median(
        us for r in results if r.item_id == ANCHOR_ID and r.status == "ok" for us in r.runs.wall_us
    )


def _over_runs(
    results: Iterable[Result], column: str, statistic: Callable[[list[float]], float]
) -> float | None:
    """Return a statistic of one column over all runs that count; None if it was not recorded."""
    values = [value for r in results if r.status == "ok" for value in getattr(r.runs, column)]
    return statistic(values) if values else None
