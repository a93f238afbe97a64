"""How snapshots follow from each other: what was profiled, and what was made of it since."""

import statistics
from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import LatencyTableRow
from search_server.latency.stored.snapshots import PROFILED, load_table, newest_snapshot
from search_server.latency.table import LatencyTable
from search_server.resources.tables import Lineage


def profiled_lineage(session: Session, table: LatencyTable) -> Lineage:
    """Return how a newly fitted table follows the one that was the newest until now."""
    parent = newest_snapshot(session, table.device_id, table.space, table.conditions)
    if parent is None:
        return PROFILED
    return Lineage("profiled", parent, _change(load_table(session, parent), table))


def same_profile(session: Session, snapshot: str) -> list[str]:
    """Return the snapshot and those before it whose entries have the same ratios, back to the profile."""
    return list(_back_to_profile(session, snapshot))


def _back_to_profile(session: Session, snapshot: str | None) -> Iterator[str]:
    while snapshot is not None:
        yield snapshot
        row = session.execute(
            select(LatencyTableRow.reason, LatencyTableRow.parent).where(
                LatencyTableRow.snapshot == snapshot
            )
        ).one()
        snapshot = row.parent if row.reason in ("rescaled", "recalibrated") else None


def _change(before: LatencyTable, after: LatencyTable) -> str:
    """Say in figures how the cells of two tables of one space differ, in units of the anchor."""
    moves = [
        abs(after.entries[key].latency_units / entry.latency_units - 1)
        for key, entry in before.entries.items()
        if key in after.entries and entry.latency_units > 0
    ]
    level = f"level {100 * (after.anchor_us / before.anchor_us - 1):+z.1f} %"
    return f"{level}, the median entry moved by {100 * statistics.median(moves):.1f} %" if moves else level
