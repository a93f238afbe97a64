"""What a check ends with: how far a device has moved away from its table. Pure."""

from collections.abc import Sequence
from datetime import datetime

from search_server.latency.drift import judge_drift
from search_server.latency.table import LatencyTable
from search_server.profiling.evidence import Evidence, Failed
from search_server.profiling.network_latencies import Measured, anchor_median_us, network_latencies
from search_server.resources.checks import Drift
from shared.architecture import Architecture


def conclude_check(
    evidence: Evidence,
    architectures: Sequence[Architecture],
    table: LatencyTable,
    profiled: LatencyTable,
    now: datetime,
) -> Drift | Failed:
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
    measured = network_latencies(evidence, architectures, None, now)
    if not isinstance(measured, Measured):
        return measured
    if measured.lacking:
        return Failed(measured.lacking)
    anchor_us = anchor_median_us(evidence.results)
    units = [
        (network, latency.latency_us / anchor_us)
        for network, latency in zip(architectures, measured.latencies, strict=True)
    ]
    return judge_drift(table, profiled, anchor_us, units, now.isoformat())
