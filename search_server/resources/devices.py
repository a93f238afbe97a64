"""Devices as the server knows them."""

from dataclasses import dataclass

from shared.protocol.device import Device, Environment


@dataclass(frozen=True, slots=True)
class DeviceUpdate:
    """New values for what a person may change; None leaves a value as it is."""

    name: str | None = None
    agent_url: str | None = None
    """Empty: the agent dials out."""
    agent_token: str | None = None
    """What the server shows to an agent that it calls; kept, never answered. Empty: none."""
    add_tags: tuple[str, ...] = ()
    """Put on after ``remove_tags`` are taken off."""
    remove_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InstallCommand:
    """What a person types on a device to install and enrol its agent; it asks for an enrolment token."""

    command: str
    server_url: str
    """The address in it."""
    note: str
    """What to know about that address; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A fresh enrolment token, and the line for a device of each kind with the token in it."""

    token_id: str
    token: str
    """Works once."""
    expires_at: str
    server_url: str
    """The address in the lines."""
    note: str
    """What to know about that address; empty: nothing."""
    board: str
    """For a shell on Linux or macOS."""
    phone: str
    """For Termux on Android."""
    container: str
    """For a clone of edgenas on a machine with Docker."""


@dataclass(frozen=True, slots=True)
class DeviceTrend:
    """How a device was while it measured, one value a window, oldest first."""

    measured_at: tuple[str, ...]
    """UTC, ISO 8601."""
    canary_us: tuple[float | None, ...]
    """Usual CPU time of the agent's canary, a fixed piece of work: a device that gets slow shows here."""
    temperature_c: tuple[float | None, ...]
    """The hottest sensor at the end of the window."""


@dataclass(frozen=True, slots=True)
class DeviceResource:
    """A device as the server knows it."""

    device_id: str
    name: str
    """Unique among the devices that are not removed; commands take it in place of the id."""
    device: Device
    agent_url: str | None
    enrolled_at: str
    last_seen_at: str | None
    is_online: bool
    """It polled, sent a heartbeat or answered within the last 60 s."""
    current_job_id: str | None = None
    environment: Environment = Environment()
    """As of ``last_seen_at``."""
    is_imported: bool = False
    """Known from an imported table only: it has no agent, nothing can be measured on it."""
    tags: tuple[str, ...] = ()
    """Words by which several devices are chosen at once, in alphabetical order."""
    waiting_for: str = ""
    """What lacks of the conditions under which its owner lends it, such as ``charging``."""
    should_rotate: bool = False
    """It renews its credential when it next calls."""
    should_upgrade: bool = False
    """It upgrades its agent when it next calls."""
    upgrade_failure: str = ""
    """Why the last upgrade that was asked for did not succeed."""
    is_agent_current: bool | None = None
    """Its agent is the server's own; None: unknown, as it was not installed by the server's line."""
    can_upgrade: bool = False
    """It has another agent than the server, and would take the server's if it were asked to."""
    owner: str = "shared"
    """The user who made the token that it enrolled with, or imported its first table."""
