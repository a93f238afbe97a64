"""When the owner of a device lends it: while it charges, while it has nothing else to do, at night.

What a device does not tell counts as not so: a phone is never measured on battery because its battery is
not known. A lease that is at work is finished; the conditions hold for the next one.
"""

import re
from dataclasses import dataclass
from datetime import time

from shared.protocol.device import Environment

_IDLE_LOAD = 0.3
"""Load of the last minute for each core below which a device counts as idle."""

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class OnlyWhen:
    """The conditions of an owner; all must hold."""

    charging: bool = False
    idle_load: float | None = None
    """Most load of the last minute for each core; None: any."""
    night: tuple[time, time] | None = None
    """From and until, by the device's clock; None: at any time."""

    def waits_for(self, now: Environment, at: time, num_cores: int, own_load: float = 0.0) -> str:
        """Return what lacks, in words; empty if all conditions hold.

        Args:
            now: how the device is.
            at: the time of the device's clock.
            num_cores: cores of the device.
            own_load: how much of the load may be the agent's own, from a lease that has just ended.
        """
        lacking = []
        if self.charging and now.is_charging is not True:
            lacking.append(
                "charging" if now.is_charging is False else "charging (this device does not tell)"
            )
        if self.idle_load is not None:
            limit = self.idle_load * num_cores + own_load
            if now.load_1m is None:
                lacking.append("idle (this device does not tell its load)")
            elif now.load_1m > limit:
                lacking.append(f"idle (load {now.load_1m:.2f}, limit {limit:.2f})")
        if self.night is not None and not _lies_within(at, *self.night):
            start, end = self.night
            lacking.append(f"night ({start:%H:%M} to {end:%H:%M})")
        return ", ".join(lacking)


def parse_only_when(text: str) -> OnlyWhen:
    """Return the conditions of a text such as ``charging,idle,night=22:00-07:00``.

    Raises:
        ValueError: a condition is unknown, or has a wrong value.
    """
    charging, idle_load, night = False, None, None
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name == "charging" and not value:
            charging = True
        elif name == "idle":
            idle_load = _load(value) if value else _IDLE_LOAD
        elif name == "night" and (hours := _HOURS.fullmatch(value)):
            first, second, third, fourth = map(int, hours.groups())
            night = time(first, second), time(third, fourth)
        else:
            raise ValueError(
                "only-when takes charging, idle (or idle=LOAD a core) and night=HH:MM-HH:MM, separated by "
                f"commas; got {part.strip()!r}"
            )
    return OnlyWhen(charging, idle_load, night)


def _load(text: str) -> float:
    try:
        load = float(text)
    except ValueError:
        load = 0.0
    if not 0 < load <= 100:
        raise ValueError(
            f"idle=LOAD is the load for each core below which the device is idle, got {text!r}"
        )
    return load


def _lies_within(at: time, start: time, end: time) -> bool:
    """Tell whether a time lies in a span of hours, which may go over midnight."""
    return start <= at < end if start < end else at >= start or at < end
