"""Devices as routes answer them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import DeviceRow, LeaseRow
from search_server.db.paging import fetch_page
from search_server.devices.registry import device_facts, is_online
from search_server.devices.tags import carries, device_tags
from search_server.install.agent_wheel import own_wheel
from search_server.resources.devices import DeviceResource
from search_server.resources.page import Page
from shared.protocol.device import Environment
from shared.protocol.wire import from_dict


def list_devices(
    session: Session,
    cursor: str | None,
    limit: int,
    now: datetime,
    tag: str | None = None,
    owner: str | None = None,
) -> Page[DeviceResource]:
    """Return the devices that are not removed, newest first; of a tag or an owner, if one is given."""
    present = select(DeviceRow).where(DeviceRow.removed_at.is_(None))
    if tag is not None:
        present = present.where(carries(tag))
    if owner is not None:
        present = present.where(DeviceRow.owner == owner)
    rows, next_cursor = fetch_page(session, present, DeviceRow.device_id, cursor, limit)
    return Page(tuple(device_resources(session, rows, now)), next_cursor)


def device_resource(session: Session, row: DeviceRow, now: datetime) -> DeviceResource:
    """Return a device as routes answer it."""
    return device_resources(session, (row,), now)[0]


def device_resources(session: Session, rows: Sequence[DeviceRow], now: datetime) -> list[DeviceResource]:
    """Return devices as routes answer them."""
    ids = [row.device_id for row in rows]
    leased = select(LeaseRow.device_id, LeaseRow.job_id).where(LeaseRow.status == "leased")
    found = session.execute(leased.where(LeaseRow.device_id.in_(ids)))
    job_ids = dict(found.all())
    tags = device_tags(session, ids)
    return [_resource(row, job_ids.get(row.device_id), tags.get(row.device_id, ()), now) for row in rows]


def _resource(row: DeviceRow, job_id: str | None, tags: tuple[str, ...], now: datetime) -> DeviceResource:
    device = device_facts(row)
    is_current = device.agent_sha256 == own_wheel().sha256 if device.agent_sha256 else None
    return DeviceResource(
        device_id=row.device_id,
        name=row.name,
        device=device,
        agent_url=row.agent_url,
        enrolled_at=row.enrolled_at.isoformat(),
        last_seen_at=row.last_seen_at.isoformat() if row.last_seen_at else None,
        is_online=is_online(row, now),
        current_job_id=job_id,
        environment=from_dict(row.environment, Environment) if row.environment else Environment(),
        is_imported=row.is_imported,
        owner=row.owner,
        tags=tags,
        waiting_for=row.waiting_for if is_online(row, now) else "",
        should_rotate=row.should_rotate,
        should_upgrade=row.should_upgrade,
        upgrade_failure=row.upgrade_failure,
        is_agent_current=is_current,
        can_upgrade=is_current is False and device.accepts_upgrade and row.agent_url is None,
    )
