"""The conditions of an owner: what counts as charging, idle and night, and that unknown is never so."""

from datetime import time
from pathlib import Path

import pytest

from profiler_agent.facts.environment import read_environment
from profiler_agent.only_when import OnlyWhen, parse_only_when
from shared.protocol.device import Environment

NOON = time(12, 0)
UNTOLD = Environment()


def waits_for(text: str, now: Environment = UNTOLD, at: time = NOON, own_load: float = 0.0) -> str:
    return parse_only_when(text).waits_for(now, at, num_cores=4, own_load=own_load)


def test_without_conditions_nothing_is_waited_for() -> None:
    assert OnlyWhen().waits_for(Environment(), NOON, 1) == ""


@pytest.mark.parametrize(
    ("status", "lacking"), [("Charging", ""), ("Full", ""), ("Discharging", "charging")]
)
def test_charging_is_what_the_battery_says(tmp_path: Path, status: str, lacking: str) -> None:
    battery = tmp_path / "sys/class/power_supply/battery"
    battery.mkdir(parents=True)
    (battery / "type").write_text("Battery\n")
    (battery / "capacity").write_text("80\n")
    (battery / "status").write_text(f"{status}\n")
    assert waits_for("charging", read_environment(tmp_path)) == lacking


def test_what_a_device_does_not_tell_is_not_so() -> None:
    assert waits_for("charging,idle") == (
        "charging (this device does not tell), idle (this device does not tell its load)"
    )


@pytest.mark.parametrize(
    ("text", "load", "own_load", "lacking"),
    [
        ("idle", 1.19, 0.0, ""),
        ("idle", 1.21, 0.0, "idle (load 1.21, limit 1.20)"),
        ("idle", 1.21, 1.0, ""),
        ("idle=0.5", 1.99, 0.0, ""),
        ("idle=0.5", 2.01, 0.0, "idle (load 2.01, limit 2.00)"),
    ],
)
def test_idle_is_a_load_below_the_limit_of_four_cores(
    text: str, load: float, own_load: float, lacking: str
) -> None:
    assert waits_for(text, Environment(load_1m=load), own_load=own_load) == lacking


@pytest.mark.parametrize(
    ("hours", "at", "is_night"),
    [
        ("22:00-07:00", time(21, 59), False),
        ("22:00-07:00", time(22, 0), True),
        ("22:00-07:00", time(0, 0), True),
        ("22:00-07:00", time(7, 0), False),
        ("01:00-05:30", time(5, 29), True),
        ("01:00-05:30", time(0, 59), False),
    ],
)
def test_a_night_may_go_over_midnight(hours: str, at: time, is_night: bool) -> None:
    start, _, end = hours.partition("-")
    assert waits_for(f"night={hours}", at=at) == ("" if is_night else f"night ({start} to {end})")


@pytest.mark.parametrize(
    "text", ["", "charged", "charging=yes", "night", "night=22-7", "idle=no", "idle=0"]
)
def test_other_conditions_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"charging, idle|idle=LOAD"):
        parse_only_when(text)
