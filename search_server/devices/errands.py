"""What the server asks of an agent between leases: to renew its credential, to upgrade itself.

An agent that dials out learns of it when it next says that it is there. Nothing else can be asked.
"""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import DeviceRow, TokenRow
from search_server.devices.registry import device_facts
from search_server.errors import ConflictError
from search_server.tokens import Caller
from shared.protocol.measurement import AgentWheel

ROTATE_AFTER = timedelta(days=90)
"""A credential that is older is renewed without being asked for."""


def ask_for_rotation(row: DeviceRow) -> None:
    """Let a device renew its credential when it next calls.

    Raises:
        ConflictError: its agent does not dial out.
    """
    _require_dialling(row, "has no credential that it could renew")
    row.should_rotate = True


def ask_for_upgrade(row: DeviceRow, wheel: AgentWheel) -> None:
    """Let a device take the server's agent when it next calls; nothing to do where it has it already.

    Raises:
        ConflictError: its agent does not dial out, or its owner did not allow that.
    """
    _require_dialling(row, "cannot be told to upgrade")
    device = device_facts(row)
    row.upgrade_failure = ""
    if device.agent_sha256 == wheel.sha256:
        row.should_upgrade = False
        return
    if not device.accepts_upgrade:
        raise ConflictError(
            "upgrade_not_allowed",
            f"device {row.name!r} takes no upgrade from the server: its owner did not allow it with "
            "--allow-upgrade, or it was not installed by the server's line. Type on the device the line of "
            "'edgenas devices add': it upgrades the agent; with '-s -- --allow-upgrade' behind 'sh', the "
            "next upgrade goes from here",
        )
    row.should_upgrade = True


def has_errand(session: Session, device_id: str) -> bool:
    """Tell whether something is asked of a device."""
    asked = DeviceRow.should_rotate | DeviceRow.should_upgrade
    statement = select(DeviceRow.device_id).where(DeviceRow.device_id == device_id, asked)
    return session.scalar(statement) is not None


def is_rotation_due(session: Session, caller: Caller, row: DeviceRow, now: datetime) -> bool:
    """Tell whether a device should renew its credential: somebody asked for it, or it is old."""
    created_at = session.scalar(select(TokenRow.created_at).where(TokenRow.token_id == caller.token_id))
    return row.should_rotate or (created_at is not None and now - created_at >= ROTATE_AFTER)


def note_upgrade_failure(row: DeviceRow, failure: str) -> None:
    """Keep why an upgrade did not succeed, and ask for it no more."""
    row.should_upgrade, row.upgrade_failure = False, failure[:500]


def _require_dialling(row: DeviceRow, but: str) -> None:
    if row.is_imported:
        raise ConflictError("device_has_no_agent", f"device {row.name!r} has no agent and {but}")
    if row.agent_url is not None:
        raise ConflictError(
            "agent_is_called",
            f"the server calls the agent of device {row.name!r} at {row.agent_url}; such an agent {but}; "
            "type on the device the line that 'edgenas devices add' shows",
        )
