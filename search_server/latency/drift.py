"""Has a device moved away from its table? The anchor tells the level, cover networks the structure.

The structure is judged against the table as it was profiled: a later recalibration moves predictions away
from the covers on purpose. The median of three networks is not led astray by one that was disturbed.
"""

import statistics
from collections.abc import Sequence
from dataclasses import replace

from search_server.latency.table import LatencyTable
from search_server.resources.checks import CheckedNetwork, CheckOutcome, Drift
from shared.architecture import Architecture

MAX_LEVEL = 0.05
"""Relative change of the anchor up to which a table stays as it is."""
MAX_STRUCTURE = 0.03
"""Relative change of networks in units of the anchor beyond which a table is stale."""


def judge_drift(
    table: LatencyTable,
    profiled: LatencyTable,
    anchor_now_us: float,
    measured_units: Sequence[tuple[Architecture, float]],
    found_at: str,
) -> Drift:
    """Return how far the device is from ``table``, and what follows.

    Args:
        table: the snapshot in question.
        profiled: the snapshot that it came from by rescaling and recalibration; often itself.
        anchor_now_us: the anchor's median latency now.
        measured_units: cover networks with their latency in units of the anchor, at least one.
        found_at: UTC, ISO 8601.

    Raises:
        MissingLatencyError: the table lacks a segment of a network.
    """
    networks = tuple(
        CheckedNetwork(
            str(architecture), profiled.predict(architecture).latency_us / profiled.anchor_us, units
        )
        for architecture, units in measured_units
    )
    structure = statistics.median(each.measured_units / each.predicted_units for each in networks) - 1
    level = anchor_now_us / table.anchor_us - 1
    outcome: CheckOutcome = "unchanged"
    if abs(structure) > MAX_STRUCTURE:
        outcome = "stale"
    elif abs(level) > MAX_LEVEL:
        outcome = "rescaled"
    return Drift(
        snapshot=table.snapshot,
        outcome=outcome,
        anchor_then_us=table.anchor_us,
        anchor_now_us=anchor_now_us,
        level=level,
        structure=structure,
        networks=networks,
        found_at=found_at,
    )


def rescaled(table: LatencyTable, anchor_us: float, created_at: str) -> LatencyTable:
    """Return the table at another level; entries, in units of the anchor, stay untouched."""
    return replace(table, anchor_us=anchor_us, created_at=created_at)
