"""The devices that the server knows: enrolled, found by id or name, seen, changed, removed."""

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from search_server.db.ids import new_id
from search_server.db.models import SHARED, DeviceRow
from search_server.devices.names import MAX_NAME_LENGTH, normal_name, require_name
from search_server.devices.tags import change_tags
from search_server.errors import ConflictError, NotFoundError, refusing_values
from search_server.resources.devices import DeviceUpdate
from search_server.tokens import (
    Caller,
    create_token,
    has_used_successor,
    require_standing,
    revoke_device_tokens,
    spend_token,
    withdraw_unused_successor,
)
from shared.protocol.address import checked_agent_url
from shared.protocol.device import Device, DeviceCreate, DeviceCredential, Environment
from shared.protocol.wire import from_dict, to_dict

ONLINE_FOR = timedelta(seconds=60)
"""A device is online for so long after it was last heard of."""

MAX_AGENT_TOKEN = 500
"""Characters of an agent's token that are kept."""

_LONGEST_SUFFIX = 9
"""Characters of what tells devices of one name apart: ``-2``, ``-3`` ..."""


def enrol(session: Session, caller: Caller, create: DeviceCreate, now: datetime) -> DeviceCredential:
    """Add a device, or renew the credential of the one that asks with its own, and what is known of it.

    The old credential works until the new one is used: an answer may be lost on its way.

    Raises:
        UnauthenticatedError: the enrolment token was used already, or the token was revoked meanwhile.
        ConflictError: the credential was renewed already.
    """
    require_standing(session, caller.token_id)
    if caller.device_id is not None:
        if has_used_successor(session, caller.token_id):
            raise ConflictError(
                "renewed_already",
                f"credential {caller.token_id} was renewed already, and each is renewed once; use the new "
                "one, or make an enrolment token and run 'profiler-agent enrol URL'",
            )
        withdraw_unused_successor(session, caller.token_id)
        row = session.get_one(DeviceRow, caller.device_id)
        row.facts, row.should_rotate = to_dict(create.device), False
        row.agent_url = create.agent_url or row.agent_url
    else:
        spend_token(session, caller.token_id, now)
        row = add_device(session, create.device, now, agent_url=create.agent_url, owner=caller.owner)
        change_tags(session, row.device_id, add=create.tags, remove=())
    row.last_seen_at = now
    token = create_token(
        session,
        "device",
        now,
        device_id=row.device_id,
        parent_token_id=caller.token_id,
        owner=caller.owner,
    )
    return DeviceCredential(row.device_id, token)


def add_device(
    session: Session,
    device: Device,
    now: datetime,
    agent_url: str | None = None,
    is_imported: bool = False,
    owner: str = SHARED,
) -> DeviceRow:
    """Store a device under its name, made fit for a path; if that is taken, ``name-2``, ``name-3`` ..."""
    name = normal_name(device.name)
    while True:
        free = _free_name(session, name)
        try:
            with session.begin_nested():
                return _add_device(session, free, device, now, agent_url, is_imported, owner)
        except IntegrityError:
            if not _is_taken(session, free):
                raise
            # Another device of this name was added at the same moment: look again.


def _add_device(
    session: Session,
    name: str,
    device: Device,
    now: datetime,
    agent_url: str | None,
    is_imported: bool,
    owner: str,
) -> DeviceRow:
    row = DeviceRow(
        device_id=new_id("device", now),
        name=name,
        owner=owner,
        facts=to_dict(device),
        agent_url=agent_url,
        is_imported=is_imported,
        enrolled_at=now,
    )
    session.add(row)
    session.flush()
    return row


def find_device(session: Session, id_or_name: str) -> DeviceRow:
    """Return a device that is not removed.

    Raises:
        NotFoundError: there is none; the message lists those that exist.
    """
    present = select(DeviceRow).where(DeviceRow.removed_at.is_(None))
    row = session.scalar(present.where(DeviceRow.device_id == id_or_name)) or session.scalar(
        present.where(DeviceRow.name == id_or_name)
    )
    if row is None:
        names = list(session.scalars(present.with_only_columns(DeviceRow.name).order_by(DeviceRow.name)))
        known = f"the devices are {', '.join(names)}" if names else "no device has enrolled yet"
        raise NotFoundError("unknown_device", f"no device {id_or_name!r}; {known}")
    return row


def update_device(session: Session, row: DeviceRow, change: DeviceUpdate) -> None:
    """Change what a person may change.

    Raises:
        ConflictError: another device has the name.
        InvalidValueError: no device can have the name or a tag, or no agent the address.
    """
    if change.name is not None and change.name != row.name:
        with refusing_values("body.name"):
            require_name(change.name)
        if _is_taken(session, change.name):
            raise ConflictError(
                "name_taken", f"another device is called {change.name!r}; choose another name"
            )
        row.name = change.name
    if change.agent_url is not None:
        if change.agent_url:
            with refusing_values("body.agent_url"):
                checked_agent_url(change.agent_url)
        row.agent_url = change.agent_url or None
    if change.agent_token is not None:
        with refusing_values("body.agent_token"):
            _require_token_length(change.agent_token)
        row.agent_token = change.agent_token or None
    change_tags(session, row.device_id, change.add_tags, change.remove_tags)
    session.flush()


def _require_token_length(agent_token: str) -> None:
    """Accept a token that fits into the database.

    Raises:
        ValueError: it is too long.
    """
    if len(agent_token) > MAX_AGENT_TOKEN:
        raise ValueError(
            f"agent_token must have at most {MAX_AGENT_TOKEN} characters, got {len(agent_token)}"
        )


def remove_device(session: Session, row: DeviceRow, now: datetime) -> None:
    """Revoke a device's credentials and take it off the list; its measurements stay."""
    revoke_device_tokens(session, row.device_id, now)
    row.removed_at, row.agent_token = now, None


def touch(
    session: Session,
    device_id: str,
    environment: Environment | None,
    now: datetime,
    waiting_for: str | None = None,
) -> None:
    """Note that a device was heard of, how it is and, if it tells, what it waits for."""
    values: dict[str, object] = {"last_seen_at": now}
    if waiting_for is not None:
        values["waiting_for"] = waiting_for[:200]
    if environment is not None and environment != Environment():
        values["environment"] = to_dict(environment)
    session.execute(update(DeviceRow).where(DeviceRow.device_id == device_id).values(values))


def renew_facts(session: Session, device_id: str, device: Device) -> None:
    """Note what a device is now; the name that the server gave it stays."""
    row = session.get_one(DeviceRow, device_id)
    if device_facts(row).agent_sha256 != device.agent_sha256:
        row.should_upgrade, row.upgrade_failure = False, ""
    row.facts = to_dict(device)


def device_facts(row: DeviceRow) -> Device:
    """Return what a device is."""
    return from_dict(row.facts, Device)


def is_online(row: DeviceRow, now: datetime) -> bool:
    """Tell whether a device was heard of lately."""
    return row.last_seen_at is not None and now - row.last_seen_at <= ONLINE_FOR


def _free_name(session: Session, name: str) -> str:
    begin = DeviceRow.name.startswith(name[: MAX_NAME_LENGTH - _LONGEST_SUFFIX], autoescape=True)
    taken = set(session.scalars(select(DeviceRow.name).where(begin, DeviceRow.removed_at.is_(None))))
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        suffix = f"-{number}"
        candidate = name[: MAX_NAME_LENGTH - len(suffix)] + suffix
    return candidate


def _is_taken(session: Session, name: str) -> bool:
    statement = select(DeviceRow.device_id).where(DeviceRow.name == name, DeviceRow.removed_at.is_(None))
    return session.scalar(statement) is not None
