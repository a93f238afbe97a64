"""The settings decide which device the agent offers, what it agrees to measure, and which program measures.

The device has the runtimes that are installed; or it is a simulated one, with made-up times.
"""

import sys
from dataclasses import replace
from pathlib import Path

from profiler_agent.bounds import Bounds
from profiler_agent.facts.device import allowed_cores, read_device
from profiler_agent.facts.installation import can_change_itself, installed_wheel
from profiler_agent.measuring.simulated_process import simulating_command
from profiler_agent.measuring.supervision import MEASURING_COMMAND
from profiler_agent.runtimes import available_runtimes, load_runtime
from profiler_agent.runtimes.accelerators import with_accelerators
from profiler_agent.runtimes.simulated import DEFAULT_DEVICE, SimulatedRuntime
from profiler_agent.settings import AgentSettings
from shared.protocol.device import Device, RuntimeInfo


async def with_offers(device: Device) -> Device:
    """Return a device with what computes the networks of each of its runtimes; asking takes seconds."""
    return replace(device, runtimes=await with_accelerators(device.runtimes))


def present_device(settings: AgentSettings) -> Device:
    """Return this device with the runtimes that are installed, without asking them anything.

    Raises:
        ValueError: the runtime that was asked for is unknown or not installed, no such device can be
            simulated, or the system does not allow the cores; the message names the ones that exist.
    """
    if not set(settings.cores) <= set(allowed_cores()):
        raise ValueError(
            f"--cores {','.join(map(str, settings.cores))} are not all among those that the system allows "
            f"this program, {','.join(map(str, allowed_cores()))}"
        )
    if settings.runtime == SimulatedRuntime.name:
        return _simulated_device(settings)
    if settings.simulated_device is not None:
        raise ValueError(
            "--simulated-device is for --runtime simulated only; give that too, or leave it out"
        )
    runtimes = available_runtimes()
    if settings.runtime is not None:
        runtimes = tuple(runtime for runtime in runtimes if runtime.name == settings.runtime)
        if not runtimes:
            load_runtime(settings.runtime)
    device = read_device(settings.name, runtimes)
    return _installed(settings, _lending(settings.cores, device))


def measuring_command(settings: AgentSettings) -> tuple[str, ...]:
    """Return the program that measures, or that pretends to."""
    if settings.runtime == SimulatedRuntime.name:
        return simulating_command(settings.simulated_device or DEFAULT_DEVICE)
    return MEASURING_COMMAND


def offered_bounds(settings: AgentSettings) -> Bounds:
    """Return what this agent agrees to measure."""
    return Bounds(
        cores=settings.cores,
        runtimes=(settings.runtime,) if settings.runtime else (),
        max_threads=settings.threads or Bounds().max_threads,
    )


def _installed(settings: AgentSettings, device: Device) -> Device:
    """Return a device that says how its agent came there, and whether the server may upgrade it."""
    prefix = Path(sys.prefix)
    sha256 = installed_wheel(prefix)
    accepts = settings.allow_upgrade and sha256 != "" and can_change_itself(prefix)
    return replace(device, agent_sha256=sha256, accepts_upgrade=accepts)


def _lending(cores: tuple[int, ...], device: Device) -> Device:
    return replace(device, allowed_cores=cores) if cores else device


def _simulated_device(settings: AgentSettings) -> Device:
    runtime = SimulatedRuntime(settings.simulated_device or DEFAULT_DEVICE)
    device = read_device(
        settings.name or f"simulated-{runtime.version}", (RuntimeInfo(runtime.name, runtime.version),)
    )
    lent = replace(_lending(settings.cores, device), cpu_model=f"simulated {runtime.version}")
    return _installed(settings, lent)
