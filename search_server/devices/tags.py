"""The tags of devices: read, added, removed, and the devices that carry one."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.orm import Session

from search_server.db.models import DeviceRow, DeviceTagRow
from search_server.errors import InvalidValueError, refusing_values
from shared.protocol.tags import MAX_TAGS, checked_tags


def device_tags(session: Session, device_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the tags of devices that have some, in alphabetical order, by device id."""
    statement = select(DeviceTagRow.device_id, DeviceTagRow.tag).where(
        DeviceTagRow.device_id.in_(device_ids)
    )
    found: dict[str, tuple[str, ...]] = {}
    for device_id, tag in session.execute(statement.order_by(DeviceTagRow.tag)):
        found[device_id] = (*found.get(device_id, ()), tag)
    return found


def change_tags(session: Session, device_id: str, add: Sequence[str], remove: Sequence[str]) -> None:
    """Take tags off a device, then put others on; what it lacks or has already changes nothing.

    Raises:
        InvalidValueError: one is no tag, or the device would have too many.
    """
    with refusing_values("body.add_tags"):
        new = checked_tags(add)
    own = DeviceTagRow.device_id == device_id
    session.execute(delete(DeviceTagRow).where(own, DeviceTagRow.tag.in_(remove)))
    present = device_tags(session, (device_id,)).get(device_id, ())
    missing = [tag for tag in new if tag not in present]
    if len(present) + len(missing) > MAX_TAGS:
        raise InvalidValueError(
            "too_many_tags", f"a device has at most {MAX_TAGS} tags, this would be its {MAX_TAGS + 1}th"
        )
    session.add_all(DeviceTagRow(device_id=device_id, tag=tag) for tag in missing)
    session.flush()


def carries(tag: str) -> ColumnElement[bool]:
    """Return the condition that a device carries a tag."""
    return exists().where(DeviceTagRow.device_id == DeviceRow.device_id, DeviceTagRow.tag == tag)
