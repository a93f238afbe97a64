"""Latency tables as routes answer them: listed, and one with its cells."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import DeviceRow, LatencyTableRow
from search_server.db.paging import fetch_page
from search_server.db.stored_json import without_half_pairs
from search_server.latency.stored.snapshots import find_row, newest_drifts, read_table
from search_server.latency.table import MissingLatencyError
from search_server.resources.checks import Drift
from search_server.resources.page import Page
from search_server.resources.tables import Lineage, Table, TableCell, TableSummary


def list_tables(
    session: Session,
    cursor: str | None,
    limit: int,
    device_id: str | None = None,
    space: str | None = None,
    runtime: str | None = None,
    owner: str | None = None,
) -> Page[TableSummary]:
    """Return summaries, newest first."""
    statement = select(LatencyTableRow)
    if device_id is not None:
        statement = statement.where(LatencyTableRow.device_id == device_id)
    if space is not None:
        statement = statement.where(LatencyTableRow.space == space)
    if runtime is not None:
        statement = statement.where(LatencyTableRow.runtime == runtime)
    if owner is not None:
        statement = statement.where(LatencyTableRow.owner == owner)
    rows, next_cursor = fetch_page(session, statement, LatencyTableRow.table_id, cursor, limit)
    return Page(tuple(_summaries(session, rows)), next_cursor)


def table_resource(session: Session, snapshot: str) -> Table:
    """Return a snapshot with its cells."""
    row = find_row(session, snapshot)
    return Table(_summaries(session, (row,))[0], _read(row.content).cells)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What follows from a stored content."""

    cells: tuple[TableCell, ...]
    num_entries: int
    """Distinct segments of the space."""
    num_measured: int
    range_us: tuple[float, float] | tuple[None, None]
    """Of the fastest and the slowest network; None if a layer has no cell."""


@lru_cache(maxsize=128)
def _read(content: str) -> _Reading:
    table = read_table(content)
    range_us: tuple[float, float] | tuple[None, None] = None, None
    with suppress(MissingLatencyError):
        range_us = table.latency_range_us()
    cells = table.cells()
    keys = {cell.key: cell.latency_us for cell in cells if cell.status != "identity"}
    return _Reading(cells, len(keys), sum(us is not None for us in keys.values()), range_us)


def _summaries(session: Session, rows: Sequence[LatencyTableRow]) -> list[TableSummary]:
    """Return tables without their cells."""
    snapshots = [row.snapshot for row in rows]
    device_ids = {row.device_id for row in rows}
    named = session.execute(
        select(DeviceRow.device_id, DeviceRow.name).where(DeviceRow.device_id.in_(device_ids))
    )
    names = dict(named.all())
    drifts, followers = newest_drifts(session, snapshots), _newest_followers(session, snapshots)
    return [
        _summary(
            row, names[row.device_id], drifts.get(row.snapshot), _later(row, followers.get(row.snapshot))
        )
        for row in rows
    ]


def _newest_followers(session: Session, snapshots: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return by parent the newest accepted table that follows it: id and snapshot."""
    statement = (
        select(LatencyTableRow.parent, LatencyTableRow.table_id, LatencyTableRow.snapshot)
        .where(LatencyTableRow.parent.in_(snapshots), LatencyTableRow.is_accepted)
        .order_by(LatencyTableRow.table_id)
    )
    rows = session.execute(statement)
    return {parent: (table_id, snapshot) for parent, table_id, snapshot in rows if parent}


def _later(row: LatencyTableRow, follower: tuple[str, str] | None) -> str | None:
    """Return the follower's snapshot, unless the table itself became the newest again behind it."""
    return follower[1] if follower is not None and follower[0] > row.table_id else None


def _summary(
    row: LatencyTableRow, device_name: str, drift: Drift | None, superseded_by: str | None
) -> TableSummary:
    table, read = read_table(without_half_pairs(row.content)), _read(row.content)
    return TableSummary(
        snapshot=row.snapshot,
        device_id=table.device_id,
        device_name=device_name,
        space=table.space,
        conditions=table.conditions,
        created_at=table.created_at,
        anchor_us=table.anchor_us,
        num_entries=read.num_entries,
        num_measured=read.num_measured,
        verdict=table.verdict,
        is_simulated=table.is_simulated,
        source=table.source,
        warnings=tuple(row.warnings),
        lineage=Lineage(row.reason, row.parent, row.change),
        drift=drift,
        superseded_by=superseded_by,
        fastest_us=read.range_us[0],
        slowest_us=read.range_us[1],
        owner=row.owner,
        is_private=row.is_private,
    )
