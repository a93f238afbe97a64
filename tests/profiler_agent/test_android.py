"""What Android lacks, taken away one by one: an agent still measures, or says what it does not know.

What is killed in the background is tried in ``test_agent.py``.

Each trap is the text of a ``sitecustomize.py``: Python runs it before anything else, in the agent and in
its measuring process alike.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.protocol.device import Device, Environment
from shared.protocol.measurement import Result
from shared.protocol.wire import from_json
from tests.profiler_agent.facts.test_environment import PHONE, tree

AGENT = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from profiler_agent.apply_settings import with_offers
from profiler_agent.facts.device import read_device
from profiler_agent.runtimes import available_runtimes
from shared.protocol.wire import to_json
from tests.profiler_agent.leases import agent_core, real_lease, store_model

core = agent_core(Path(sys.argv[1]))
store_model(core)
device = asyncio.run(with_offers(read_device("phone", available_runtimes()[:1])))
lease = real_lease("a")
(result,) = core.run(replace(lease, policy=replace(lease.policy, accept_noise=True)))
Path(sys.argv[2]).write_text(to_json(device) + chr(10) + to_json(result))
"""

NO_SEM_OPEN = """
import _multiprocessing
del _multiprocessing.SemLock
"""

NO_AFFINITY = """
import os
del os.sched_setaffinity, os.sched_getaffinity
"""

AFFINITY_IS_FORBIDDEN = """
import os

def refuse(*_):
    raise PermissionError(1, "Operation not permitted")

os.sched_setaffinity = os.sched_getaffinity = refuse
"""

DENIED = """
import sys

def deny(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and str(arguments[0]).startswith({paths!r}):
        raise PermissionError(13, "Permission denied", arguments[0])

sys.addaudithook(deny)
"""
"""As SELinux does it on phones: the file is there, and nobody may look."""

NO_LIMITS = """
import resource
resource.setrlimit = lambda *_: None
"""

LIMITS_ARE_FORBIDDEN = """
import resource

def refuse(*_):
    raise ValueError("not allowed to raise maximum limit")

resource.setrlimit = refuse
"""

PIDFD_OPEN_KILLS = """
import os

def kill(*_):
    os.abort()

os.pidfd_open = kill
"""

COUNTED = """
import os, sys

def count(event, arguments):
    if event in ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"):
        with open(os.environ["COUNTED"], "a") as file:
            file.write(event + chr(10))

sys.addaudithook(count)
"""


@dataclass(frozen=True, slots=True)
class Phone:
    """Runs an agent where something is missing."""

    folder: Path

    def measure(self, trap: str, **environment: str) -> tuple[Device, Result]:
        """Return what the agent says of the device, and the result of a lease for ONNX Runtime."""
        site, answer = self.folder / "site", self.folder / "answer"
        site.mkdir()
        (site / "sitecustomize.py").write_text(trap)
        path = os.pathsep.join((str(site), *sys.path))
        done = subprocess.run(
            [sys.executable, "-c", AGENT, str(self.folder / "data"), str(answer)],
            env={**os.environ, "PYTHONPATH": path, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        device, result = answer.read_text().splitlines()
        return from_json(device, Device), from_json(result, Result)


@pytest.fixture
def phone(tmp_path: Path) -> Phone:
    return Phone(tmp_path)


def has_measured(result: Result) -> bool:
    """Return whether runs came back."""
    return len(result.runs.wall_us) >= 2 and result.status == "ok"


@pytest.mark.parametrize("trap", [NO_SEM_OPEN, NO_LIMITS, LIMITS_ARE_FORBIDDEN, PIDFD_OPEN_KILLS])
def test_what_it_does_not_need_may_be_missing(phone: Phone, trap: str) -> None:
    _, result = phone.measure(trap)
    assert has_measured(result), result.reason


@pytest.mark.parametrize("trap", [NO_AFFINITY, AFFINITY_IS_FORBIDDEN])
def test_where_cores_cannot_be_chosen_all_are_offered(phone: Phone, trap: str) -> None:
    device, result = phone.measure(trap)
    assert device.allowed_cores == tuple(range(os.cpu_count() or 1))
    assert has_measured(result), result.reason


def test_denied_files_under_proc_are_facts_unknown(phone: Phone) -> None:
    paths = ("/proc/stat", "/proc/loadavg", "/proc/self/task", "/proc/self/oom_score_adj")
    device, result = phone.measure(DENIED.format(paths=paths))
    assert "load_1m" in device.unknown
    assert result.cores_seen == ()
    assert has_measured(result), result.reason


def test_denied_sensors_are_facts_unknown(phone: Phone) -> None:
    device, result = phone.measure(DENIED.format(paths=("/sys/",)))
    assert {"temperature_c", "core_khz", "core_max_khz", "governor"} <= set(device.unknown)
    assert result.environment_before.temperature_c is None
    assert has_measured(result), result.reason


STATE = """
import sys
from pathlib import Path
from profiler_agent.facts.environment import read_environment
from shared.protocol.wire import to_json

print(to_json(read_environment(Path(sys.argv[1]))))
"""


@pytest.mark.parametrize(
    ("folder", "unknown"),
    [
        ("sys/class/thermal", "temperature_c"),
        ("sys/class/power_supply", "battery_percent"),
        ("sys/devices/system/cpu", "governor"),
        ("proc/loadavg", "load_1m"),
        ("proc/meminfo", "memory_available_bytes"),
    ],
)
def test_a_fact_that_is_denied_takes_no_other_along(tmp_path: Path, folder: str, unknown: str) -> None:
    root = tree(tmp_path / "root", PHONE)
    trap = tmp_path / "sitecustomize.py"
    trap.write_text(DENIED.format(paths=(str(root / folder),)))
    told = subprocess.run(
        [sys.executable, "-c", STATE, str(root)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), *sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    state = from_json(told.stdout, Environment)
    known = {
        "load_1m": 0.42,
        "governor": "performance,schedutil",
        "temperature_c": 52.0,
        "battery_percent": 77.0,
        "memory_available_bytes": 3_000_000 * 1024,
    }
    assert {name: getattr(state, name) for name in known} == {**known, unknown: None}


def test_a_lease_takes_far_fewer_than_32_processes(phone: Phone) -> None:
    counted = phone.folder / "counted"
    _, result = phone.measure(COUNTED, COUNTED=str(counted))
    assert has_measured(result), result.reason
    # One measures; ctypes and platform may ask a compiler or the shell once.
    assert 1 <= len(counted.read_text().splitlines()) <= 8
