"""What a server may ask of an agent between leases: a new credential, and its own agent as an upgrade.

The upgrade is off unless the device's owner allowed it, and is nothing but the wheel below ``/install/`` of
the server at which the device is enrolled: pip checks its hash and takes what it depends on from the
device's own package index.
"""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from profiler_agent.carriers.credentials import load_credentials, save_credentials
from profiler_agent.facts.installation import note_installed_wheel
from profiler_agent.programs import run_program
from shared.protocol.call_server import ServerClient
from shared.protocol.device import Device, DeviceCreate
from shared.protocol.measurement import AgentWheel, HeartbeatReply

_log = logging.getLogger(__name__)

_PIP = (
    sys.executable,
    *["-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir", "install"],
)
_AGENT = (sys.executable, "-P", "-m", "profiler_agent", "--version")
_TIMEOUT_S = 600.0


class UpgradedError(Exception):
    """The agent on disk is another one now: this process has to make room for it."""


@dataclass(frozen=True, slots=True)
class Errands:
    """Does what a server asks, as far as the owner allows."""

    client: ServerClient
    data_dir: Path
    device: Device
    """Its facts say whether the owner allows upgrades."""
    prefix: Path = Path(sys.prefix)
    """The environment that an upgrade changes."""
    pip: Sequence[str] = _PIP
    """The command that installs what stands behind it."""
    agent: Sequence[str] = _AGENT
    """The command that tells whether the agent on disk starts."""

    async def do(self, reply: HeartbeatReply) -> str:
        """Do what is asked; return why an upgrade did not succeed, if one was asked for.

        Raises:
            UpgradedError: the agent must be started again.
            RequestRefusedError: the credential cannot be renewed.
            NoAnswerError: the server is away.
        """
        if reply.rotate:
            await self._renew_credential()
        if reply.upgrade is None or reply.upgrade.sha256 == self.device.agent_sha256:
            return ""
        failure = await self._upgrade(reply.upgrade)
        if not failure:
            raise UpgradedError(f"the agent was upgraded to {reply.upgrade.name}")
        _log.warning("not upgraded: %s", failure)
        return failure

    async def _renew_credential(self) -> None:
        """Take a new credential; it is on disk before it is used, and its first use ends the old one."""
        credential = await self.client.renew(DeviceCreate(self.device))
        stored = load_credentials(self.data_dir)
        save_credentials(self.data_dir, replace(stored, token=credential.token))
        self.client.use_token(credential.token)
        _log.info("the device's credential was renewed")

    async def _upgrade(self, wheel: AgentWheel) -> str:
        if not self.device.accepts_upgrade:
            return (
                "the owner of this device did not allow upgrades from the server (--allow-upgrade), or the "
                "agent was not installed by the server's line"
            )
        _log.info("upgrading to %s", wheel.name)
        for arguments in upgrade_steps(self.client.url, wheel):
            failure = await _run_to_end("pip", *self.pip, *arguments)
            if failure:
                return failure
        failure = await _run_to_end("the new agent", *self.agent)
        if failure:  # this process, which still runs, can take another upgrade; one that restarts cannot
            return failure
        note_installed_wheel(self.prefix, wheel.sha256)
        return ""


async def _run_to_end(name: str, *command: str) -> str:
    """Run a program; return how it failed, if it did."""
    try:
        ended = await run_program(command, _TIMEOUT_S)
    except TimeoutError:
        return f"{name} did not end within {_TIMEOUT_S:.0f} s"
    except OSError as error:
        return f"{name} cannot be started: {error}"
    said = ended.stderr.decode(errors="replace")[-300:]
    return f"{name} ended with status {ended.returncode}: {said}" if ended.returncode else ""


def upgrade_steps(server_url: str, wheel: AgentWheel) -> tuple[tuple[str, ...], ...]:
    """Return the arguments of pip: first what the wheel depends on, then the wheel in any case."""
    address = f"{server_url}/install/{wheel.name}#sha256={wheel.sha256}"
    return (address,), ("--force-reinstall", "--no-deps", address)
