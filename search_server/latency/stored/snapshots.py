"""Latency tables in the database: appended, found by snapshot, newest accepted first.

A table whose content is there already, such as one that was rescaled back, is the newest again.
A table that its newest check found to be stale is not used unless it is named, and no older one in its
place: what has moved on the device has moved away from that one too.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from search_server.db.ids import new_id
from search_server.db.models import JobRow, LatencyTableRow, TableCheckRow
from search_server.db.visibility import SEES_ALL
from search_server.errors import ConflictError, NotFoundError
from search_server.latency.stored.entry_rows import write_entries
from search_server.latency.table import LatencyTable
from search_server.people import NOBODYS, Ownership
from search_server.resources.checks import Drift
from search_server.resources.tables import Lineage
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
    return read_table(find_row(session, snapshot).content)


def load_tables(session: Session, snapshots: Collection[str]) -> dict[str, LatencyTable]:
    """Return the tables of those snapshots that there are, by snapshot."""
    rows = session.scalars(select(LatencyTableRow).where(LatencyTableRow.snapshot.in_(snapshots)))
    return {row.snapshot: read_table(row.content) for row in rows}


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
    return newest_drifts(session, (snapshot,)).get(snapshot)


def newest_drifts(session: Session, snapshots: Sequence[str]) -> dict[str, Drift]:
    """Return the same of several snapshots, of those for which there is something."""
    own = TableCheckRow.snapshot.in_(snapshots)
    newest = select(func.max(TableCheckRow.check_id)).where(own).group_by(TableCheckRow.snapshot)
    statement = (
        select(TableCheckRow.snapshot, TableCheckRow.body, LatencyTableRow.created_at)
        .join(LatencyTableRow, LatencyTableRow.snapshot == TableCheckRow.snapshot)
        .where(TableCheckRow.check_id.in_(newest))
    )
    found = {}
    for snapshot, body, created_at in session.execute(statement):
        drift = from_dict(body, Drift)
        if datetime.fromisoformat(drift.found_at) >= created_at:
            found[snapshot] = drift
    return found


@lru_cache(maxsize=128)
def read_table(content: str) -> LatencyTable:
    """Return the table of a stored content, which never changes; the same few are asked for often."""
    return LatencyTable.from_json(content)


def _newest(session: Session, device_id: str, space: str, conditions: Conditions) -> LatencyTable | None:
    accepted = accepted_tables(device_id, space=space, conditions_key=conditions.key)
    for row in session.scalars(accepted.limit(20)):
        table = read_table(row.content)
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


def find_row(session: Session, snapshot: str) -> LatencyTableRow:
    """Return a snapshot as it is stored.

    Raises:
        NotFoundError: there is none.
    """
    row = session.scalar(select(LatencyTableRow).where(LatencyTableRow.snapshot == snapshot))
    if row is None:
        raise NotFoundError(
            "unknown_table", f"no latency table {snapshot!r}; 'edgenas tables list' lists the snapshots"
        )
    return row
