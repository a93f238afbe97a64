"""The table that a prediction or a search needs: named, the newest, or made from that of other classes."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from search_server.db.models import DeviceRow, LatencyTableRow
from search_server.devices.support import require_table_support
from search_server.errors import ConflictError, InvalidValueError
from search_server.latency.other_classes import head_change, is_alike_but_for_classes, with_classes
from search_server.latency.stored.snapshots import (
    accepted_tables,
    load_table,
    newest_accepted,
    newest_drift,
    newest_snapshot,
    store_table,
)
from search_server.latency.table import LatencyTable
from search_server.people import Ownership
from search_server.resources.tables import Lineage
from shared.protocol.device import Conditions
from shared.search_space import search_space

MAX_LISTED = 5
"""Tables in an error's message."""


def require_table(
    session: Session, device: DeviceRow, space: str, conditions: Conditions | None, snapshot: str | None
) -> LatencyTable:
    """Return the table of a snapshot, or without one the newest accepted table under some conditions.

    Without conditions these are the usual ones; of a device that has no agent, those of its tables, if they
    are alike. Where there is no table, that of a space which differs in its number of classes only is
    stored anew for this one, with its head scaled: ``latency/other_classes.py``.

    Raises:
        NotFoundError: no such snapshot.
        ConflictError: the snapshot belongs to another device or space, or there is no table yet; the
            message names the command that measures one; or there are several to choose from, which the
            message lists.
    """
    if snapshot is not None:
        table = load_table(session, snapshot)
        if (table.device_id, table.space) != (device.device_id, space):
            raise ConflictError(
                "table_mismatch",
                f"table {snapshot} is of space {table.space} on device {table.device_id}, not of space "
                f"{space} on device {device.name}",
            )
        return table
    if conditions is None:
        conditions = _imported_conditions(session, device, space) if device.is_imported else Conditions()
    found = newest_accepted(session, device.device_id, space, conditions) or _of_other_classes(
        session, device, space, conditions
    )
    if found is None:
        raise ConflictError("no_table", _no_table_message(session, device, space, conditions))
    return found


def _imported_conditions(session: Session, device: DeviceRow, space: str) -> Conditions:
    """Return the one set of conditions under which a device has tables of a space, or of other classes."""
    rows = session.scalars(accepted_tables(device.device_id)).all()
    named = [row for row in rows if row.space == space]
    wanted = search_space(space)
    fitting = named or [row for row in rows if is_alike_but_for_classes(search_space(row.space), wanted)]
    newest = {row.conditions_key: row for row in reversed(fitting)}
    if not newest:
        raise ConflictError(
            "no_table",
            f"device {device.name} has no table of space {space}{_known_tables(session, rows)}; name a "
            "space of which it has one, or import another table",
        )
    if len(newest) > 1:
        listed = _known_tables(session, sorted(newest.values(), key=lambda row: row.table_id, reverse=True))
        raise ConflictError(
            "several_tables",
            f"device {device.name} has tables of space {space} under {len(newest)} sets of conditions"
            f"{listed}; name one by its snapshot, or its conditions",
        )
    (row,) = newest.values()
    return replace(load_table(session, row.snapshot).conditions, runtime_version=None)


def _known_tables(session: Session, rows: Sequence[LatencyTableRow]) -> str:
    """Return the newest tables as an error lists them; nothing if there are none."""
    listed = [
        f"{row.snapshot} ({row.space}; {load_table(session, row.snapshot).conditions})"
        for row in rows[:MAX_LISTED]
    ]
    more = f" and {len(rows) - MAX_LISTED} more" if len(rows) > MAX_LISTED else ""
    return f"; it has {', '.join(listed)}{more}" if listed else ""


def _of_other_classes(
    session: Session, device: DeviceRow, space: str, conditions: Conditions
) -> LatencyTable | None:
    wanted = search_space(space)
    accepted = accepted_tables(device.device_id, conditions_key=conditions.key)
    for row in session.scalars(accepted.where(LatencyTableRow.space != space)):
        if not is_alike_but_for_classes(search_space(row.space), wanted):
            continue
        table = newest_accepted(session, device.device_id, row.space, conditions)
        scaled = with_classes(table, wanted) if table is not None else None
        if table is not None and scaled is not None:
            change = head_change(table, wanted)
            lineage = Lineage("head scaled", table.snapshot, change)
            store_table(
                session,
                scaled,
                row.created_at,
                lineage=lineage,
                warnings=[change],
                ownership=Ownership(row.owner),
            )
            return scaled
    return None


def _no_table_message(session: Session, device: DeviceRow, space: str, conditions: Conditions) -> str:
    way_out = _way_to_table(device, space, conditions)
    stale = newest_snapshot(session, device.device_id, space, conditions)
    if stale is not None:
        return (
            f"table {stale} of space {space} on device {device.name} is stale: a check found "
            f"{newest_drift(session, stale)}; {way_out}"
        )
    known = _known_tables(session, session.scalars(accepted_tables(device.device_id)).all())
    return f"device {device.name} has no accepted table of space {space} for {conditions}{known}; {way_out}"


def _way_to_table(device: DeviceRow, space: str, conditions: Conditions) -> str:
    """Return the command that measures a table, or why none can be measured."""
    if device.is_imported:
        return "name one of its snapshots, or the conditions of one"
    try:
        require_table_support(device, conditions)
    except InvalidValueError as error:
        return f"none can be measured: {error}"
    options = {"-d": device.name, "-s": space, "--runtime": conditions.runtime}
    usual = Conditions()
    for name in ("threads", "dtype", "batch", "cores", "thermal", "accelerator"):
        value = getattr(conditions, name)
        if value != getattr(usual, name):
            options[f"--{name}"] = ",".join(map(str, value)) if name == "cores" else str(value)
    return f"measure one: edgenas profile {' '.join(f'{name} {said}' for name, said in options.items())}"
