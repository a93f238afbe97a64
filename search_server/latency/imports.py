"""A table that another program wrote becomes a snapshot of a device, enrolled or only known by name."""

from datetime import datetime
from typing import Literal, get_args

from sqlalchemy.orm import Session

from search_server.db.models import DeviceRow
from search_server.devices.names import require_name
from search_server.devices.registry import add_device, find_device
from search_server.errors import InvalidValueError, NotFoundError, refusing_values
from search_server.latency.formats import for_device, read_hw_nas_bench, read_own_json
from search_server.latency.snapshots import store_table, table_resource
from search_server.resources.tables import Table
from shared.device import Conditions, Device, RuntimeInfo
from shared.search_space import search_space

ImportFormat = Literal["json", "hw-nas-bench"]
IMPORT_FORMATS: tuple[ImportFormat, ...] = get_args(ImportFormat)


def import_table(
    session: Session,
    content: bytes,
    import_format: ImportFormat,
    device: str,
    space: str | None,
    now: datetime,
) -> Table:
    """Store a table for a device; a device that is not known yet is added without an agent.

    Args:
        session: writes the table.
        content: the file.
        import_format: what wrote it.
        device: id or name here; for ``hw-nas-bench`` the name in the file too.
        space: what the caller takes the table's space to be; None takes it as it is.
        now: the time of the import.

    Raises:
        InvalidValueError: the file is not of this format, or of another space, or no device can have
            this name.
    """
    with refusing_values("body"):
        if import_format == "json":
            table = read_own_json(content)
        else:
            table = read_hw_nas_bench(content, device, device_id="", created_at=now.isoformat())
    with refusing_values("query.space"):
        wanted = search_space(space).name if space else table.space
    if wanted != table.space:
        raise InvalidValueError(
            "space_mismatch", f"the file's table is of space {table.space}, not {wanted}"
        )
    row = _device(session, device, table.conditions, now)
    return table_resource(session, store_table(session, for_device(table, row.device_id), now))


def _device(session: Session, name: str, conditions: Conditions, now: datetime) -> DeviceRow:
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
        return add_device(session, facts, now, is_imported=True)
