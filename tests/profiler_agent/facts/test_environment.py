from pathlib import Path

import pytest

from profiler_agent.facts import environment
from profiler_agent.facts.device import read_device
from profiler_agent.facts.environment import read_environment
from shared.protocol.device import Environment, RuntimeInfo

PHONE = {
    "proc/loadavg": "0.42 0.30 0.20 1/200 4242\n",
    "proc/meminfo": "MemTotal:        8000000 kB\nMemAvailable:    3000000 kB\n",
    "proc/cpuinfo": "processor\t: 0\nBogoMIPS\t: 38.40\n\nHardware\t: Qualcomm SM8550\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1800000\n",
    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "2000000\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "schedutil\n",
    "sys/devices/system/cpu/cpu2/cpufreq/scaling_governor": "performance\n",
    "sys/devices/system/cpu/cpu10/cpufreq/scaling_cur_freq": "3200000\n",
    "sys/devices/system/cpu/cpu10/cpufreq/cpuinfo_max_freq": "3300000\n",
    "sys/class/thermal/thermal_zone0/temp": "41500\n",
    "sys/class/thermal/thermal_zone1/temp": "-274000\n",
    "sys/class/thermal/thermal_zone2/temp": "52000\n",
    "sys/class/thermal/thermal_zone3/temp": "broken\n",
    "sys/class/power_supply/a_mouse/type": "Battery\n",
    "sys/class/power_supply/a_mouse/scope": "Device\n",
    "sys/class/power_supply/a_mouse/capacity": "3\n",
    "sys/class/power_supply/battery/type": "Battery\n",
    "sys/class/power_supply/battery/capacity": "77\n",
    "sys/class/power_supply/battery/status": "Not charging\n",
}


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_phone_tells_everything(tmp_path: Path) -> None:
    assert read_environment(tree(tmp_path, PHONE)) == Environment(
        load_1m=0.42,
        core_khz=(1_800_000, None, 3_200_000),
        governor="performance,schedutil",
        temperature_c=52.0,
        battery_percent=77,
        is_charging=False,
        memory_available_bytes=3_000_000 * 1024,
    )


BOARD = {
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "600000\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "ondemand\n",
    "sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq": "2208000\n",
    "sys/devices/system/cpu/cpufreq/policy4/scaling_governor": "ondemand\n",
    "sys/class/thermal/thermal_zone0/type": "soc-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "48111\n",
    "sys/class/power_supply/tcpm-source/type": "USB\n",
    "sys/class/power_supply/tcpm-source/online": "1\n",
}


def test_a_board_whose_cores_share_their_clocks(tmp_path: Path) -> None:
    root = tree(tmp_path, BOARD)
    for core in range(6):
        folder = root / f"sys/devices/system/cpu/cpu{core}"
        folder.mkdir()
        (folder / "cpufreq").symlink_to(f"../cpufreq/policy{0 if core < 4 else 4}")
    (root / "sys/devices/system/cpu/cpu5/cpufreq").unlink()  # a core that is switched off
    assert read_environment(root) == Environment(
        core_khz=(600_000,) * 4 + (2_208_000, None), governor="ondemand", temperature_c=48.111
    )


def test_what_is_not_there_is_unknown(tmp_path: Path) -> None:
    assert read_environment(tmp_path) == Environment()


def test_what_makes_no_sense_is_unknown(tmp_path: Path) -> None:
    nonsense = dict.fromkeys(PHONE, "?")
    assert read_environment(tree(tmp_path, nonsense)) == Environment(governor="?")


def test_termux_tells_the_battery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "termux-battery-status"
    command.write_text('#!/bin/sh\necho \'{"percentage": 64, "status": "CHARGING"}\'\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    environment._termux_battery.cache_clear()
    state = read_environment(tmp_path)
    environment._termux_battery.cache_clear()
    assert (state.battery_percent, state.is_charging) == (64, True)


def test_identity_names_what_it_does_not_know(tmp_path: Path) -> None:
    runtimes = (RuntimeInfo("onnxruntime", "1.32.0"),)
    device = read_device("kitchen", runtimes, tree(tmp_path, PHONE))
    assert device.name == "kitchen"
    assert device.cpu_model == "Qualcomm SM8550"
    assert device.core_max_khz == (2_000_000, None, 3_300_000)
    assert device.memory_bytes == 8_000_000 * 1024
    assert device.runtimes == runtimes
    assert device.unknown == ()


def test_a_board_is_known_from_its_device_tree(tmp_path: Path) -> None:
    device = read_device(None, (), tree(tmp_path, {"proc/device-tree/model": "Radxa ROCK 5B\0"}))
    assert device.cpu_model == "Radxa ROCK 5B"
    assert device.name
    assert "temperature_c" in device.unknown
    assert "core_max_khz" in device.unknown
