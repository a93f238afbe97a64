"""The latency tables of a search: found for each of its devices, and checked before it is queued."""

import math
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from search_server.db.models import DeviceRow
from search_server.devices.registry import find_device
from search_server.devices.support import require_support
from search_server.errors import ConflictError, InvalidValueError
from search_server.latency.stored.required_table import require_table
from search_server.latency.table import LatencyTable
from search_server.resources.searches import DeviceTarget, SearchCreate
from shared.protocol.wire import FieldError


def other_table(
    session: Session, create: SearchCreate, other: DeviceTarget, space: str, path: str
) -> LatencyTable:
    """Return the table of a further device of a search.

    Args:
        session: reads devices and tables.
        create: the search.
        other: the device, its target and what it says of its table.
        space: the search's space, its full name.
        path: where in the request the device stands.
    """
    device = find_device(session, other.device)
    conditions = other.conditions or (None if device.is_imported else create.conditions)
    if conditions is not None:
        conditions = replace(conditions, runtime_version=None)
    table = require_table(session, device, space, conditions, other.snapshot)
    target_ms = other.target_ms if create.combine == "worst" else None
    require_usable(table, device.name, target_ms, f"{path}.target_ms", create.loss)
    return table


def require_usable(
    table: LatencyTable, device: str, target_ms: float | None, path: str, loss: str = "budget"
) -> None:
    """Refuse a table that was not accepted, and a target that no network of its cells meets.

    A table may lack cells if a layer has others and a target keeps the search away from networks with them.

    Raises:
        ConflictError: the table cannot be searched with.
        InvalidValueError: the target, at ``path`` of the request, is out of reach.
    """
    if table.verdict is not None and not table.verdict.is_accepted:
        raise ConflictError(
            "table_refused",
            f"table {table.snapshot} was refused when it was measured: {'; '.join(table.verdict.reasons)}; "
            f"measure again: edgenas profile -d {device} -s {table.space} --force (with --accept-noise, to "
            "take the device as it is)",
        )
    try:
        fastest_us, slowest_us = table.latency_range_us()
    except ValueError as error:
        raise ConflictError("table_incomplete", str(error)) from error
    missing = [f"{cell.layer} {cell.block}" for cell in table.cells() if cell.status == "missing"]
    if missing and (target_ms is None or loss != "budget"):
        raise ConflictError(
            "table_incomplete",
            f"table {table.snapshot} lacks {len(missing)} cells, {', '.join(missing[:12])} among them; "
            "loss 'budget' with a target for each device (combine 'worst') searches among the others",
        )
    if target_ms is None:
        return
    fastest_ms, slowest_ms = fastest_us / 1000, slowest_us / 1000
    if not fastest_ms <= target_ms <= slowest_ms:
        side = "below the fastest" if target_ms < fastest_ms else "above the slowest"
        message = (
            f"target_ms {target_ms:g} lies {side} network of space {table.space} on device "
            f"{device}: networks take {fastest_ms:.4g} to {slowest_ms:.4g} ms by table "
            f"{table.snapshot}; choose a target between"
        )
        raise InvalidValueError("unreachable_target", message, (FieldError(path, message),))


def require_measurable(session: Session, tables: Sequence[LatencyTable]) -> None:
    """Refuse tables under whose conditions their devices, if they have agents, measure no more.

    A search measures what it finds, so it would fail in the end.

    Raises:
        InvalidValueError: a device lacks the runtime, the accelerator or another condition by now.
    """
    for table in tables:
        device = session.get_one(DeviceRow, table.device_id)
        if not device.is_imported:
            require_support(device, replace(table.conditions, runtime_version=None))


def require_positive_log(create: SearchCreate, table: LatencyTable) -> None:
    """Refuse the paper's loss on a table whose fastest network has no positive log(LAT).

    Raises:
        InvalidValueError: it has not; loss ``fbnet`` would be nothing, or no number.
    """
    fastest = table.latency_range_us()[0] * {"us": 1.0, "ms": 1e-3}[create.latency_unit]
    if create.loss != "fbnet" or fastest > 1:
        return
    message = (
        "loss 'fbnet' needs a log(LAT) above 0 of every network, but the fastest of table "
        f"{table.snapshot} takes {fastest:.4g} {create.latency_unit}, and log({fastest:.4g}) = "
        f"{math.log(fastest):.3g}; use latency_unit 'us', or loss 'budget'"
    )
    raise InvalidValueError("latency_too_small", message, (FieldError("body.latency_unit", message),))
