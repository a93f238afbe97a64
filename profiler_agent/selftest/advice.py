"""Says whether a device can be measured with a runtime, and what its owner can do about it."""

import statistics
from collections.abc import Sequence

from profiler_agent.measuring.stability import HOT_C, cores_remark
from shared.protocol.device import Conditions, Device
from shared.protocol.measurement import Result

MAX_SPREAD = 1.35
"""Median over minimum, above which a device is too restless to be measured."""

_LOW_BATTERY_PERCENT = 30.0
_BUSY_LOAD_PER_CORE = 0.5
_MANY_SWITCHES_PER_RUN = 0.5


def spread_of(wall_us: Sequence[float]) -> float | None:
    """Return the median over the minimum of some times; None without any."""
    return statistics.median(wall_us) / min(wall_us) if any(wall_us) else None


def advise(
    result: Result, spread: float | None, device: Device, conditions: Conditions
) -> tuple[bool, tuple[str, ...]]:
    """Return whether the runtime is usable here, and sentences about what to fix.

    Args:
        result: of the built-in network.
        spread: median over minimum of its runs.
        device: what was measured.
        conditions: what was asked for.
    """
    if spread is None:
        return False, (result.reason or f"the measurement ended as {result.status!r} without a sample",)
    is_steady = spread <= MAX_SPREAD
    advice = [*_about_state(result, device), *_about_cores(result, conditions)]
    if not is_steady:
        advice.insert(
            0,
            f"the median run takes {spread:.2f} times the fastest, the limit is {MAX_SPREAD}: "
            "something disturbs this device",
        )
    if result.status != "ok" and result.reason:
        advice.insert(0, result.reason)
    if "temperature_c" in device.unknown:
        advice.append("the temperature is not readable here, so throttling can only be seen in the times")
    return is_steady and result.status == "ok", tuple(advice)


def _about_state(result: Result, device: Device) -> list[str]:
    state = result.environment_before
    advice = []
    if state.load_1m is not None and state.load_1m > _BUSY_LOAD_PER_CORE * device.num_cores:
        advice.append(f"the load is {state.load_1m:.1f} on {device.num_cores} cores: stop other programs")
    if state.governor is not None and state.governor != "performance":
        advice.append(
            f"the clock governor is {state.governor!r}: as root write 'performance' to "
            "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor; on Android run "
            "'adb shell cmd power set-fixed-performance-mode-enabled true'"
        )
    heat_c = result.environment_after.temperature_c
    if heat_c is not None and heat_c > HOT_C:
        advice.append(f"it is {heat_c:.0f} degrees Celsius hot, above {HOT_C:.0f}: let it cool down")
    percent = state.battery_percent
    if percent is not None and percent < _LOW_BATTERY_PERCENT and not state.is_charging:
        advice.append(f"the battery is at {percent:.0f} %: plug the device in, or its clocks will drop")
    return advice


def _about_cores(result: Result, conditions: Conditions) -> list[str]:
    advice = []
    remark = cores_remark(conditions.cores, result.cores_seen)
    if remark:
        advice.append(remark)
    switches = result.runs.involuntary_switches
    if switches and sum(switches) / len(switches) > _MANY_SWITCHES_PER_RUN:
        advice.append("other programs interrupt most runs: stop them, or choose quiet cores with --cores")
    return advice
