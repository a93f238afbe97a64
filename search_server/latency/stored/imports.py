"""A table that another program wrote becomes a snapshot of a device, enrolled or only known by name."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import DeviceRow, LatencyTableRow
from search_server.devices.names import require_name
from search_server.devices.registry import add_device, find_device
from search_server.errors import InvalidValueError, NotFoundError, refusing_values
from search_server.latency.formats.hw_nas_bench import read_hw_nas_bench
from search_server.latency.formats.mobile_vision import read_mobile_vision
from search_server.latency.formats.ofa_yaml import read_ofa_yaml
from search_server.latency.formats.own_csv import read_own_csv
from search_server.latency.formats.own_json import read_own_json
from search_server.latency.formats.own_parquet import read_own_parquet
from search_server.latency.formats.plain_csv import read_plain_csv
from search_server.latency.formats.reading import ImportedFile, ReadTable
from search_server.latency.limits import require_bounded
from search_server.latency.plausibility import likeness, oddities, require_possible
from search_server.latency.stored.snapshots import store_table
from search_server.latency.stored.table_resources import table_resource
from search_server.latency.table import LatencyTable
from search_server.people import NOBODYS, Ownership
from search_server.resources.formats import ImportFormat
from search_server.resources.tables import Lineage, Table
from shared.protocol.device import Conditions, Device, RuntimeInfo
from shared.search_space import search_space

IMPORTED = Lineage("imported")

_READERS: Mapping[ImportFormat, Callable[[ImportedFile], ReadTable]] = {
    "json": read_own_json,
    "csv": read_own_csv,
    "parquet": read_own_parquet,
    "plain-csv": read_plain_csv,
    "hw-nas-bench": read_hw_nas_bench,
    "ofa-yaml": read_ofa_yaml,
    "mobile-vision-jsonl": read_mobile_vision,
}

_MAX_COMPARED = 200
"""So many of the newest tables of the space are looked at for a copy."""


def import_table(
    session: Session,
    content: bytes,
    import_format: ImportFormat,
    device: str,
    space: str | None,
    now: datetime,
    conditions: Conditions | None = None,
    ownership: Ownership = NOBODYS,
) -> Table:
    """Store a table for a device; a device that is not known yet is added without an agent.

    What is odd about the table is kept with it as warnings.

    Args:
        session: writes the table.
        content: the file.
        import_format: what wrote it.
        device: id or name here; for files of several devices the name in the file too.
        space: what the caller takes the table's space to be; None takes it as it is.
        now: the time of the import.
        conditions: under which the file was measured; None: what is known of the format.
        ownership: whom the table belongs to, and the device if it is new.

    Raises:
        InvalidValueError: the file is not of this format, or of another space, holds impossible
            latencies, or no device can have this name.
    """
    with refusing_values("query.space"):
        wanted = search_space(space).name if space else None
    with refusing_values("body"):
        file = ImportedFile(content, device, now.isoformat(), wanted, conditions)
        read = read_table(import_format, file)
        require_bounded(read.table)
        require_possible(read.table)
    if wanted not in (None, read.table.space):
        raise InvalidValueError(
            "space_mismatch", f"the file's table is of space {read.table.space}, not {wanted}"
        )
    row = find_or_add_device(session, device, read.table.conditions, now, ownership.owner)
    table = replace(read.table, device_id=row.device_id)
    warnings = (*read.remarks, *oddities(table), *_copies(session, table, ownership))
    snapshot = store_table(session, table, now, None, IMPORTED, warnings, ownership)
    return table_resource(session, snapshot)


def read_table(import_format: ImportFormat, file: ImportedFile) -> ReadTable:
    """Return the table of a file, not yet judged.

    Raises:
        ValueError: the file is not of this format.
    """
    return _READERS[import_format](file)


def find_or_add_device(
    session: Session, name: str, conditions: Conditions, now: datetime, owner: str
) -> DeviceRow:
    """Return the device of this id or name; a new name is added without an agent.

    Raises:
        InvalidValueError: no device can have this name.
    """
    try:
        return find_device(session, name)
    except NotFoundError:
        with refusing_values("query.device"):
            require_name(name)
        runtime = RuntimeInfo(
            conditions.runtime, conditions.runtime_version or "unknown", (conditions.dtype,)
        )
        facts = Device(
            name=name,
            system="unknown",
            machine="unknown",
            platform="unknown",
            num_cores=max(1, conditions.threads),
            runtimes=(runtime,),
            unknown=("system", "machine", "platform", "num_cores", "cpu_model", "memory_bytes"),
        )
        return add_device(session, facts, now, is_imported=True, owner=owner)


def _copies(session: Session, table: LatencyTable, ownership: Ownership) -> Iterator[str]:
    """Yield a warning for each other device whose table is this one number for number.

    The warnings of a table that everybody reads name no private one.
    """
    statement = (
        select(LatencyTableRow.content, LatencyTableRow.snapshot, DeviceRow.name)
        .join(DeviceRow, DeviceRow.device_id == LatencyTableRow.device_id)
        .where(LatencyTableRow.space == table.space, LatencyTableRow.device_id != table.device_id)
        .order_by(LatencyTableRow.table_id.desc())
        .limit(_MAX_COMPARED)
    )
    if not ownership.is_private:
        statement = statement.where(LatencyTableRow.is_private.is_(False))
    for content, snapshot, device in session.execute(statement):
        factor = likeness(table, LatencyTable.from_json(content))
        if factor is not None:
            times = "" if abs(factor - 1) < 1e-6 else f", times {1 / factor:.6g}"
            yield (
                f"the latencies are those of device {device}, table {snapshot}, number for number{times}: "
                "one of the two does not show what its name says"
            )
