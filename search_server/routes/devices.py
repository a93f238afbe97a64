"""Devices over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from search_server.devices.device_resources import device_resource, list_devices
from search_server.devices.errands import ask_for_rotation, ask_for_upgrade
from search_server.devices.registry import enrol, find_device, remove_device, update_device
from search_server.install.agent_wheel import own_wheel
from search_server.leases.bell import announce_lease
from search_server.leases.cancel import cancel_device_jobs
from search_server.profiling.device_trend import device_trend
from search_server.resources.devices import DeviceResource, DeviceTrend, DeviceUpdate
from search_server.resources.page import Page
from search_server.routes.auth import EnrolDep, OwnerFilterDep, UserDep
from search_server.routes.context import CursorQuery, LimitQuery, NowDep
from search_server.routes.error_answers import ERROR_RESPONSES
from search_server.routes.sessions import SessionDep
from search_server.routes.transaction_route import TransactionRoute
from shared.protocol.device import DeviceCreate, DeviceCredential

router = APIRouter(tags=["devices"], responses=ERROR_RESPONSES, route_class=TransactionRoute)


@router.post("/devices", status_code=201)
def create_device(
    caller: EnrolDep, create: DeviceCreate, session: SessionDep, now: NowDep
) -> DeviceCredential:
    """Swap an enrolment token for the device's own credential.

    With a device's own credential: renew it, and what is known of the device. The old credential works
    until the new one is used.
    """
    return enrol(session, caller, create, now)


@router.get("/devices")
def get_devices(
    _: UserDep,
    owner: OwnerFilterDep,
    session: SessionDep,
    now: NowDep,
    tag: Annotated[str | None, Query(description="only devices that carry this tag")] = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = 100,
) -> Page[DeviceResource]:
    """List the devices that are not removed, newest first."""
    return list_devices(session, cursor, limit, now, tag, owner)


@router.get("/devices/{device}")
def get_device(_: UserDep, device: str, session: SessionDep, now: NowDep) -> DeviceResource:
    """Return a device by id or name."""
    return device_resource(session, find_device(session, device), now)


@router.get("/devices/{device}/trend")
def get_trend(
    _: UserDep,
    device: str,
    session: SessionDep,
    windows: Annotated[int, Query(ge=2, le=200, description="most windows to answer")] = 40,
) -> DeviceTrend:
    """Return how a device was in the newest windows that it measured: its canary and its temperature."""
    return device_trend(session, find_device(session, device).device_id, windows)


@router.patch("/devices/{device}")
def patch_device(
    caller: UserDep, device: str, change: DeviceUpdate, session: SessionDep, now: NowDep
) -> DeviceResource:
    """Change a device's name or tags, or where and with which token the server calls its agent."""
    row = find_device(session, device)
    caller.require_own(row.owner, f"device {row.name}")
    update_device(session, row, change)
    return device_resource(session, row, now)


@router.post("/devices/{device}/rotate")
def rotate_credential(caller: UserDep, device: str, session: SessionDep, now: NowDep) -> DeviceResource:
    """Let a device renew its credential when it next calls; the old one ends when the new one is used."""
    row = find_device(session, device)
    caller.require_own(row.owner, f"device {row.name}")
    ask_for_rotation(row)
    announce_lease(session, row.device_id)
    return device_resource(session, row, now)


@router.post("/devices/{device}/upgrade")
def upgrade_agent(caller: UserDep, device: str, session: SessionDep, now: NowDep) -> DeviceResource:
    """Let a device take the server's own agent when it next calls, if its owner allowed that."""
    row = find_device(session, device)
    caller.require_own(row.owner, f"device {row.name}")
    ask_for_upgrade(row, own_wheel())
    announce_lease(session, row.device_id)
    return device_resource(session, row, now)


@router.delete("/devices/{device}", status_code=204)
def delete_device(caller: UserDep, device: str, session: SessionDep, now: NowDep) -> None:
    """Revoke a device's credential, cancel its jobs and take it off the list; measurements stay."""
    row = find_device(session, device)
    caller.require_own(row.owner, f"device {row.name}")
    cancel_device_jobs(session, row.device_id, now)
    remove_device(session, row, now)
