"""What a device shows beside what its table says: networks with their predictions, drift. Pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from search_server.latency.drift import judge_drift
from search_server.latency.stored.predictions import predictions
from search_server.latency.table import LatencyTable, MissingLatencyError
from search_server.profiling.conclude_measurement import (
    Conclusion,
    Evidence,
    Failed,
    Measured,
    conclude_measurement,
)
from search_server.profiling.plan import ANCHOR_ID
from search_server.resources.checks import Drift
from search_server.resources.latencies import MeasuredLatency, Prediction
from shared.architecture import Architecture


@dataclass(frozen=True, slots=True)
class Compared:
    """Networks have latencies, with predictions where a table has them."""

    latencies: tuple[MeasuredLatency, ...]
    lacking: str
    """Names those that have none, and why."""
    level_snapshot: str | None
    """The table whose level the latencies have."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A table was compared with what its device shows now."""

    drift: Drift


def compare_measurement(
    evidence: Evidence,
    architectures: Sequence[Architecture],
    level: LatencyTable | None,
    file: str | None,
    now: datetime,
) -> Conclusion | Compared:
    """Return the latencies of networks at the level of a table, beside what it predicts.

    Args:
        evidence: the results of all groups.
        architectures: the networks, in the order of their item ids.
        level: the reference table; None: the networks have their own level and no prediction.
        file: the model file that was measured in the place of the one network's timing model, if any; it
            has no prediction, since a table predicts timing models.
        now: stands in for a result's own time where it has none.
    """
    conclusion = conclude_measurement(evidence, architectures, level.anchor_us if level else None, now)
    if not isinstance(conclusion, Measured):
        return conclusion
    if level is None or file is not None:
        latencies = tuple(replace(latency, file=file) for latency in conclusion.latencies)
        return Compared(latencies, conclusion.lacking, level.snapshot if level else None)
    networks = {str(architecture): architecture for architecture in architectures}
    latencies = tuple(
        replace(latency, prediction=_prediction(level, networks[latency.architecture]))
        for latency in conclusion.latencies
    )
    return Compared(latencies, conclusion.lacking, level.snapshot)


def conclude_check(
    evidence: Evidence,
    architectures: Sequence[Architecture],
    table: LatencyTable,
    profiled: LatencyTable,
    now: datetime,
) -> Conclusion | Checked:
    """Compare what a device shows now with a table.

    Args:
        evidence: the results of one group.
        architectures: the networks, in the order of their item ids.
        table: the snapshot that is checked.
        profiled: see :func:`search_server.latency.drift.judge_drift`.
        now: the time of the finding.
    """
    present = evidence.measured_conditions
    if present.runtime_version != table.conditions.runtime_version:
        return Failed(
            f"the table was measured with {table.conditions}, the device now has {present}; measure a new "
            "table with 'edgenas profile'"
        )
    conclusion = conclude_measurement(evidence, architectures, None, now)
    if not isinstance(conclusion, Measured):
        return conclusion
    if conclusion.lacking:
        return Failed(conclusion.lacking)
    anchor_us = statistics.median(
        us for r in evidence.results if r.item_id == ANCHOR_ID and r.status == "ok" for us in r.runs.wall_us
    )
    units = [
        (network, latency.latency_us / anchor_us)
        for network, latency in zip(architectures, conclusion.latencies, strict=True)
    ]
    return Checked(judge_drift(table, profiled, anchor_us, units, now.isoformat()))


def _prediction(level: LatencyTable, architecture: Architecture) -> Prediction | None:
    try:
        return predictions(level, [architecture])[0]
    except MissingLatencyError:  # a known network may bring a head of its own
        return None
