"""How the device is right now: load, clocks, heat, battery, memory.

Every fact is optional. What a device does not tell stays unknown (None or an empty tuple); many phones
deny an app the sensors under ``/sys``.
"""

import json
import shutil
import subprocess
import time
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from shared.protocol.device import Environment

_PLAUSIBLE_C = (1.0, 150.0)
"""Sensors that are off report 0 or an absolute minimum; neither is a temperature."""

_TERMUX_TIMEOUT_S = 5.0
_TERMUX_CACHE_S = 60.0


class _Battery(NamedTuple):
    percent: float | None = None
    is_charging: bool | None = None


def read_environment(root: Path = Path("/")) -> Environment:
    """Return the state of this device at this moment.

    Args:
        root: where ``proc`` and ``sys`` lie.
    """
    battery = _power_supply(root)
    if battery == _Battery():
        battery = _termux_battery(int(time.monotonic() // _TERMUX_CACHE_S))
    return Environment(
        load_1m=_load_1m(root),
        core_khz=per_core_khz(root, "scaling_cur_freq"),
        governor=_governor(root),
        temperature_c=_hottest_zone_c(root),
        battery_percent=battery.percent,
        is_charging=battery.is_charging,
        memory_available_bytes=memory_bytes(root, "MemAvailable"),
    )


def read_text(path: Path) -> str | None:
    """Return a file's text without surrounding blanks and NULs; None if it is empty or unreadable."""
    try:
        return path.read_text(errors="replace").strip(" \t\r\n\0") or None
    except OSError:
        return None


def per_core_khz(root: Path, fact: str) -> tuple[int | None, ...]:
    """Return a clock of each core in kHz; an empty tuple if no core tells.

    Args:
        root: where ``sys`` lies.
        fact: file name under ``cpufreq``, such as ``scaling_cur_freq``.
    """
    clocks = tuple(_whole_number(read_text(core / "cpufreq" / fact)) for core in _cores(root))
    return clocks if any(clocks) else ()


def memory_bytes(root: Path, fact: str) -> int | None:
    """Return one line of ``/proc/meminfo``, such as ``MemTotal``, in bytes."""
    for line in (read_text(root / "proc/meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        if name == fact:
            kibibytes = _whole_number(rest.removesuffix("kB").strip())
            return None if kibibytes is None else kibibytes * 1024
    return None


def _cores(root: Path) -> list[Path]:
    folders = (root / "sys/devices/system/cpu").glob("cpu[0-9]*")
    return sorted(folders, key=lambda folder: int(folder.name.removeprefix("cpu")))


def _load_1m(root: Path) -> float | None:
    text = read_text(root / "proc/loadavg")
    try:
        return float(text.split()[0]) if text else None
    except ValueError:
        return None


def _governor(root: Path) -> str | None:
    """Return the governor of all cores; several, separated by commas, if they differ."""
    governors = {read_text(core / "cpufreq/scaling_governor") for core in _cores(root)}
    return ",".join(sorted(name for name in governors if name)) or None


def _hottest_zone_c(root: Path) -> float | None:
    low_c, high_c = _PLAUSIBLE_C
    zones = (root / "sys/class/thermal").glob("thermal_zone*/temp")
    millidegrees = (_whole_number(read_text(zone)) for zone in zones)
    celsius = [value / 1000 for value in millidegrees if value is not None]
    return max((value for value in celsius if low_c <= value <= high_c), default=None)


def _power_supply(root: Path) -> _Battery:
    for supply in sorted((root / "sys/class/power_supply").glob("*")):
        is_own = read_text(supply / "scope") != "Device"  # "Device" is a mouse or a pen
        if read_text(supply / "type") == "Battery" and is_own:
            percent = _whole_number(read_text(supply / "capacity"))
            return _Battery(percent, _is_charging(read_text(supply / "status")))
    return _Battery()


@lru_cache(maxsize=1)
def _termux_battery(_: int) -> _Battery:
    """Ask Termux:API, which takes about a second; the argument is the minute that the answer serves."""
    command = shutil.which("termux-battery-status")
    if command is None:
        return _Battery()
    try:
        answer = subprocess.run(
            [command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TERMUX_TIMEOUT_S,
            check=True,
        )
        document = json.loads(answer.stdout)
        return _Battery(float(document["percentage"]), _is_charging(str(document.get("status"))))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return _Battery()


def _is_charging(status: str | None) -> bool | None:
    known = {"charging": True, "full": True, "discharging": False, "not charging": False}
    return known.get((status or "").lower().replace("_", " "))


def _whole_number(text: str | None) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        return None
