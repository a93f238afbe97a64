"""What a device is and how it does, in words for a terminal."""

from rich.text import Text

from search_server.resources.devices import DeviceResource, DeviceTrend
from shared.protocol.device import Device, RuntimeInfo


def canary_words(trend: DeviceTrend) -> str:
    """Return how fast the device is now, and how fast it was in its newest windows."""
    known = [value for value in trend.canary_us if value is not None]
    if not known:
        return "unknown: it has measured nothing yet"
    return f"{known[-1]:.0f} µs, {min(known):.0f} to {max(known):.0f} in {len(known)} windows"


def state_word(device: DeviceResource) -> Text:
    """Return whether the device is heard of, or what it waits for."""
    if device.is_online and device.waiting_for:
        return Text(f"◐ waiting for: {device.waiting_for}", style="yellow")
    return Text("● online", style="green") if device.is_online else Text("○ offline", style="dim")


def upgrade_words(device: DeviceResource) -> str:
    """Return whether its agent is the server's own, and else how it becomes that."""
    if device.should_upgrade:
        return "when it next calls"
    if device.upgrade_failure:
        return f"failed: {device.upgrade_failure}"
    if device.is_agent_current:
        return "not needed: it is the server's own agent"
    if device.can_upgrade:
        return f"offered: edgenas devices upgrade {device.name}"
    return "on the device only, by the line of 'edgenas devices add'"


def core_words(device: Device) -> str:
    """Return how many cores it has, and which the agent may use."""
    usable = device.usable_cores
    if len(usable) == device.num_cores:
        return f"{device.num_cores} cores"
    return f"{device.num_cores} cores, of which the agent may use {', '.join(map(str, usable))}"


def runtime_words(device: Device) -> str:
    """Return the runtimes with what computes their networks, where that is not the usual only."""
    return ", ".join(map(_runtime, device.runtimes)) or "none"


def _runtime(runtime: RuntimeInfo) -> str:
    choice = f" ({', '.join(runtime.accelerators)})" if len(runtime.accelerators) > 1 else ""
    return f"{runtime.name} {runtime.version}{choice}"
