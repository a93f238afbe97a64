"""Latency tables in the database: appended, found by snapshot, newest accepted first.

A table whose content is there already, such as one that was rescaled back, is the newest again.
A table that its newest check found to be stale is not used unless it is named, and no older one in its
place: what has moved on the device has moved away from that one too.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from search_server.db.ids import new_id
from search_server.db.models import DeviceRow, JobRow, LatencyTableRow, TableCheckRow
from search_server.db.paging import fetch_page
from search_server.db.visibility import SEES_ALL
from search_server.errors import ConflictError, NotFoundError
from search_server.latency.stored.entry_rows import write_entries
from search_server.latency.table import LatencyTable, MissingLatencyError
from search_server.people import NOBODYS, Ownership
from search_server.resources.checks import Drift
from search_server.resources.page import Page
from search_server.resources.tables import Lineage, Table, TableCell, TableSummary
from shared.protocol.device import Conditions
from shared.protocol.wire import from_dict

PROFILED = Lineage("profiled")
"""The lineage of the first table of its kind."""


def store_table(
    session: Session,
    table: LatencyTable,
    now: datetime,
    job_id: str | None = None,
    lineage: Lineage = PROFILED,
    warnings: Sequence[str] = (),
    ownership: Ownership = NOBODYS,
) -> str:
    """Keep a table as the newest of its kind and return its snapshot.

    The same content is kept once, with its first lineage, warnings and owner; what earlier checks found of
    it no longer counts. A table of a job belongs to the owner of the job. One that follows a private table
    in its level is private to the same owner.
    """
    snapshot = table.snapshot
    if job_id is not None:
        job = session.get_one(JobRow, job_id)
        ownership = Ownership(job.owner, job.is_private)
    parent = _stored(session, lineage.parent) if lineage.parent and lineage.reason != "profiled" else None
    if parent is not None and parent.is_private:
        ownership = Ownership(parent.owner, is_private=True)
    stored = _stored(session, snapshot)
    if stored is None:
        session.add(
            LatencyTableRow(
                table_id=new_id("table", now),
                snapshot=snapshot,
                device_id=table.device_id,
                space=table.space,
                runtime=table.conditions.runtime,
                conditions_key=table.conditions.key,
                content=table.to_json(),
                is_accepted=table.is_accepted,
                anchor_us=table.anchor_us,
                source=table.source,
                owner=ownership.owner,
                is_private=ownership.is_private,
                job_id=job_id,
                warnings=list(warnings),
                reason=lineage.reason,
                parent=lineage.parent,
                change=lineage.change,
                created_at=now,
            )
        )
        session.flush()
        write_entries(session, snapshot, table)
    else:
        stored.table_id, stored.created_at = new_id("table", now), now
        # Who sends what another keeps private has it too: both find it from now on, and so does everybody.
        stored.is_private &= ownership == Ownership(stored.owner, is_private=True)
    session.flush()
    return snapshot


def load_table(session: Session, snapshot: str) -> LatencyTable:
    """Return the table of a snapshot.

    Raises:
        NotFoundError: there is none.
    """
    return _table(_find(session, snapshot))


def accepted_tables(device_id: str, **columns: str) -> Select[LatencyTableRow]:
    """Return the query for a device's accepted tables, the newest first; ``columns`` must match."""
    return (
        select(LatencyTableRow)
        .where(LatencyTableRow.device_id == device_id, LatencyTableRow.is_accepted)
        .filter_by(**columns)
        .order_by(LatencyTableRow.table_id.desc())
    )


def newest_accepted(
    session: Session, device_id: str, space: str, conditions: Conditions
) -> LatencyTable | None:
    """Return the newest table that may be used under these conditions, or None: none, or a stale one.

    Conditions without a runtime version take a table of any version.
    """
    table = _newest(session, device_id, space, conditions)
    return None if table is None or _is_stale(session, table.snapshot) else table


def newest_snapshot(session: Session, device_id: str, space: str, conditions: Conditions) -> str | None:
    """Return the newest snapshot that was accepted under these conditions, stale or not."""
    table = _newest(session, device_id, space, conditions)
    return table.snapshot if table else None


def require_newest(session: Session, table: LatencyTable) -> None:
    """Return if no accepted table of the same conditions is newer.

    Raises:
        ConflictError: one is, or the table was never accepted.
    """
    snapshot = table.snapshot
    newest = newest_snapshot(session, table.device_id, table.space, table.conditions)
    if newest != snapshot:
        other = (
            f"the newest accepted one under its conditions is {newest}; name that"
            if newest
            else "no table was accepted under its conditions yet"
        )
        raise ConflictError("table_not_newest", f"table {snapshot} is not in use: {other}")


def newest_drift(session: Session, snapshot: str) -> Drift | None:
    """Return what the newest check of a snapshot found since it was stored."""
    statement = (
        select(TableCheckRow.body, LatencyTableRow.created_at)
        .join(LatencyTableRow, LatencyTableRow.snapshot == TableCheckRow.snapshot)
        .where(TableCheckRow.snapshot == snapshot)
        .order_by(TableCheckRow.check_id.desc())
        .limit(1)
    )
    found = session.execute(statement).first()
    if found is None:
        return None
    drift = from_dict(found.body, Drift)
    return drift if datetime.fromisoformat(drift.found_at) >= found.created_at else None


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
    return Page(tuple(_summary(session, row, _read(row.content)) for row in rows), next_cursor)


def table_resource(session: Session, snapshot: str) -> Table:
    """Return a snapshot with its cells."""
    row = _find(session, snapshot)
    read = _read(row.content)
    return Table(_summary(session, row, read), read.cells)


@dataclass(frozen=True, slots=True)
class _ReadTable:
    """What a stored content says."""

    table: LatencyTable
    cells: tuple[TableCell, ...]
    range_us: tuple[float, float] | None
    """Of the fastest and the slowest network; None if a layer has no cell."""


@lru_cache(maxsize=128)
def _read(content: str) -> _ReadTable:
    # A content never changes, and pages ask for the same few again and again.
    table = LatencyTable.from_json(content)
    range_us: tuple[float, float] | None = None
    with suppress(MissingLatencyError):
        range_us = table.latency_range_us()
    return _ReadTable(table, table.cells(), range_us)


def _summary(session: Session, row: LatencyTableRow, read: _ReadTable) -> TableSummary:
    """Return a table without its cells; entries are counted as distinct segments of the space."""
    table, range_us = read.table, read.range_us
    device = session.get(DeviceRow, table.device_id)
    keys = {cell.key: cell.latency_us for cell in read.cells if cell.status != "identity"}
    follower = (
        select(LatencyTableRow.snapshot)
        .where(LatencyTableRow.parent == row.snapshot, LatencyTableRow.is_accepted)
        .where(LatencyTableRow.table_id > row.table_id)
        .order_by(LatencyTableRow.table_id.desc())
        .limit(1)
    )
    return TableSummary(
        snapshot=row.snapshot,
        device_id=table.device_id,
        device_name=device.name if device else table.device_id,
        space=table.space,
        conditions=table.conditions,
        created_at=table.created_at,
        anchor_us=table.anchor_us,
        num_entries=len(keys),
        num_measured=sum(latency_us is not None for latency_us in keys.values()),
        verdict=table.verdict,
        is_simulated=table.is_simulated,
        source=table.source,
        warnings=tuple(row.warnings),
        lineage=Lineage(row.reason, row.parent, row.change),
        drift=newest_drift(session, row.snapshot),
        superseded_by=session.scalar(follower),
        fastest_us=range_us[0] if range_us else None,
        slowest_us=range_us[1] if range_us else None,
        owner=row.owner,
        is_private=row.is_private,
    )


def _table(row: LatencyTableRow) -> LatencyTable:
    return LatencyTable.from_json(row.content)


def _newest(session: Session, device_id: str, space: str, conditions: Conditions) -> LatencyTable | None:
    accepted = accepted_tables(device_id, space=space, conditions_key=conditions.key)
    for row in session.scalars(accepted.limit(20)):
        table = _table(row)
        if conditions.runtime_version in (None, table.conditions.runtime_version):
            return table
    return None


def _is_stale(session: Session, snapshot: str) -> bool:
    drift = newest_drift(session, snapshot)
    return drift is not None and drift.outcome == "stale"


def is_private_table(session: Session, *snapshots: str) -> bool:
    """Tell whether one of these tables is private: then what quotes it must be private too."""
    private = select(LatencyTableRow.snapshot).where(
        LatencyTableRow.snapshot.in_(snapshots), LatencyTableRow.is_private
    )
    return session.scalar(private.limit(1)) is not None


def _stored(session: Session, snapshot: str) -> LatencyTableRow | None:
    statement = select(LatencyTableRow).where(LatencyTableRow.snapshot == snapshot)
    return session.scalar(statement, execution_options=SEES_ALL)


def _find(session: Session, snapshot: str) -> LatencyTableRow:
    row = session.scalar(select(LatencyTableRow).where(LatencyTableRow.snapshot == snapshot))
    if row is None:
        raise NotFoundError(
            "unknown_table", f"no latency table {snapshot!r}; 'edgenas tables list' lists the snapshots"
        )
    return row
