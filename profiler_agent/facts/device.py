"""What this device is: the facts that stay the same between measurements."""

import os
import platform
import sysconfig
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

from profiler_agent.facts.environment import memory_bytes, per_core_khz, read_environment, read_text
from shared.program_version import installed_version
from shared.protocol.device import Device, Environment, RuntimeInfo
from shared.protocol.measurement import PROTOCOL_MAX

_CPUINFO_NAMES = ("model name", "Hardware", "Model")
"""In order of preference: x86, Android, boards such as the Raspberry Pi."""


def read_device(name: str | None, runtimes: tuple[RuntimeInfo, ...], root: Path = Path("/")) -> Device:
    """Return what this device is, and by name what it does not tell.

    Args:
        name: what people call the device; None takes the host name.
        runtimes: the inference runtimes it offers.
        root: where ``proc`` and ``sys`` lie.
    """
    cpu_model = _cpu_model(root)
    core_max_khz = per_core_khz(root, "cpuinfo_max_freq")
    total_bytes = memory_bytes(root, "MemTotal")
    static = {"cpu_model": cpu_model, "core_max_khz": core_max_khz, "memory_bytes": total_bytes}
    environment = read_environment(root)
    moving = {field.name: getattr(environment, field.name) for field in fields(Environment)}
    return Device(
        name=name or platform.node() or "unnamed",
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        platform=sysconfig.get_platform(),
        num_cores=os.cpu_count() or 1,
        cpu_model=cpu_model,
        core_max_khz=core_max_khz,
        memory_bytes=total_bytes,
        python_version=platform.python_version(),
        agent_version=agent_version(),
        runtimes=runtimes,
        unknown=tuple(fact for fact, value in {**static, **moving}.items() if value in (None, ())),
        allowed_cores=allowed_cores(),
        protocol_max=PROTOCOL_MAX,
    )


def allowed_cores() -> tuple[int, ...]:
    """Return the cores on which programs of this process may run; all where the system does not tell."""
    if hasattr(os, "sched_getaffinity"):
        with suppress(OSError):  # a sandbox may forbid to ask
            return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def agent_version() -> str:
    """Return the installed version of this package; ``unknown`` when it runs uninstalled."""
    return installed_version("edgenas-agent")


def _cpu_model(root: Path) -> str | None:
    facts: dict[str, str] = {}
    for line in (read_text(root / "proc/cpuinfo") or "").splitlines():
        fact, _, value = line.partition(":")
        facts.setdefault(fact.strip(), value.strip())
    for fact in _CPUINFO_NAMES:
        if facts.get(fact):
            return facts[fact]
    return read_text(root / "proc/device-tree/model")
