"""What a measurement ends with: latencies of networks beside what a table predicts of them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from search_server.latency.stored.predictions import predictions
from search_server.latency.table import LatencyTable, MissingLatencyError
from search_server.profiling.evidence import Evidence, Failed, remedy_of
from search_server.profiling.network_latencies import Measured, network_latencies
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


def conclude_measurement(
    evidence: Evidence,
    architectures: Sequence[Architecture],
    level: LatencyTable | None,
    file: str | None,
    now: datetime,
) -> Compared | Failed:
    """Return the latencies of networks at the level of a table, beside what it predicts.

    Args:
        evidence: the results of all groups.
        architectures: the networks, in the order of their item ids.
        level: the reference table; None: the networks have their own level and no prediction.
        file: the model file that was measured in the place of the one network's timing model, if any; it
            has no prediction, since a table predicts timing models.
        now: stands in for a result's own time where it has none.
    """
    measured = network_latencies(evidence, architectures, level.anchor_us if level else None, now)
    remedy = remedy_of(evidence.results)
    if not isinstance(measured, Measured):
        return Failed(measured.message + remedy)
    lacking = measured.lacking and measured.lacking + remedy
    if level is None or file is not None:
        latencies = tuple(replace(latency, file=file) for latency in measured.latencies)
        return Compared(latencies, lacking, level.snapshot if level else None)
    networks = {str(architecture): architecture for architecture in architectures}
    latencies = tuple(
        replace(latency, prediction=_prediction(level, networks[latency.architecture]))
        for latency in measured.latencies
    )
    return Compared(latencies, lacking, level.snapshot)


def _prediction(level: LatencyTable, architecture: Architecture) -> Prediction | None:
    try:
        return predictions(level, [architecture])[0]
    except MissingLatencyError:  # a known network may bring a head of its own
        return None
