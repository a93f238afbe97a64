"""What the results of a job's leases say: a table, latencies, failure, or that more is needed. Pure."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from search_server.latency.fit import RelativeLatency, UnfittableError, fit_table, relative_latencies
from search_server.latency.table import LatencyTable
from search_server.profiling.plan import ANCHOR_ID, MAX_PROFILE_LEASES, MIN_PROFILE_LEASES, WINDOW_S, net_id
from search_server.resources.latencies import MeasuredLatency
from shared.architecture import Architecture
from shared.device import Conditions
from shared.measurement import LeaseItem, Result


@dataclass(frozen=True, slots=True)
class Evidence:
    """What all leases of a job gave, in the order in which they were finished."""

    space: str
    device_id: str
    conditions: Conditions
    items: tuple[LeaseItem, ...]
    """Of the first lease."""
    leases: tuple[tuple[int, tuple[Result, ...]], ...]
    """Group and results of each lease."""

    @property
    def results(self) -> tuple[Result, ...]:
        return tuple(result for _, results in self.leases for result in results)

    @property
    def measured_conditions(self) -> Conditions:
        """The conditions with the runtime's version, which the results tell."""
        told = (result.runtime_version for result in self.results if result.runtime_version)
        return replace(self.conditions, runtime_version=next(told, self.conditions.runtime_version))


@dataclass(frozen=True, slots=True)
class MeasureOn:
    """One more window is needed."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A table came out; its verdict says whether it may be used."""

    table: LatencyTable

    @property
    def is_accepted(self) -> bool:
        return self.table.verdict is None or self.table.verdict.is_accepted


@dataclass(frozen=True, slots=True)
class Measured:
    """Networks have latencies; ``lacking`` names those that have none, and why."""

    latencies: tuple[MeasuredLatency, ...]
    lacking: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing can come of it."""

    message: str


Conclusion = MeasureOn | Fitted | Measured | Failed


def conclude_profile(evidence: Evidence, now: datetime) -> Conclusion:
    """Fit a table once there are enough windows; ask for more until it is good or they are too many."""
    _, last_results = evidence.leases[-1]
    if all(result.status in ("unsupported", "error") for result in last_results):
        return Failed(f"nothing could be measured: {_reasons(last_results)}")
    num_leases = len(evidence.leases)
    if num_leases < MIN_PROFILE_LEASES:
        return MeasureOn()
    is_last = num_leases >= MAX_PROFILE_LEASES
    try:
        fitted = Fitted(
            fit_table(
                evidence.space,
                evidence.device_id,
                evidence.conditions,
                {item.item_id: item.workload for item in evidence.items if item.profile_segments},
                ANCHOR_ID,
                evidence.results,
                now.isoformat(),
                {
                    item.item_id: item.workload
                    for item in evidence.items
                    if not item.is_anchor and not item.profile_segments
                },
            )
        )
    except UnfittableError as error:
        return Failed(f"no table after {num_leases} windows: {error}") if is_last else MeasureOn()
    return fitted if fitted.is_accepted or is_last else MeasureOn()


def refusal(table: LatencyTable, num_leases: int) -> str:
    """Return why a table may not be used, and what would help."""
    reasons = "; ".join(table.verdict.reasons) if table.verdict else ""
    return (
        f"after {num_leases} windows of {WINDOW_S:g} s the table is refused: {reasons}. Stop what else "
        "runs on the device, let it cool, fix its clock if you can ('profiler-agent selftest' tells "
        "how), then profile again"
    )


def conclude_measurement(
    evidence: Evidence, architectures: Sequence[Architecture], level_us: float | None, now: datetime
) -> Conclusion:
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
        anchor_us = [
            us for r in results if r.item_id == ANCHOR_ID and r.status == "ok" for us in r.runs.wall_us
        ]
        for item_id, latency in relative_latencies(results, ANCHOR_ID).items():
            relative[item_id] = latency, level_us or statistics.median(anchor_us)
    latencies: list[MeasuredLatency] = []
    lacking: list[str] = []
    for index, architecture in enumerate(architectures):
        results = [result for result in evidence.results if result.item_id == net_id(index)]
        if net_id(index) not in relative:
            lacking.append(f"{architecture} ({_reasons(results) or 'the anchor was not measured'})")
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
                measured_at=max(result.started_at for result in results) or now.isoformat(),
                is_simulated=any(result.is_simulated for result in results),
            )
        )
    if not latencies:
        return Failed(f"no network could be measured: {'; '.join(lacking)}")
    return Measured(tuple(latencies), f"not measured: {'; '.join(lacking)}" if lacking else "")


def _reasons(results: Iterable[Result]) -> str:
    reasons = {f"{r.status}: {r.reason}" if r.reason else r.status for r in results if r.status != "ok"}
    return "; ".join(sorted(reasons)[:5])
