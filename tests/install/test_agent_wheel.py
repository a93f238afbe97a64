"""The wheel that the server packs: installed by pip, complete, the same at every start."""

import csv
import hashlib
import io
import json
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import version
from pathlib import Path

from search_server.install.agent_wheel import agent_wheel
from search_server.install.requirements import agent_requirements
from tests.boundaries.test_imports import BLOCKER, COMPILED


def test_pip_installs_it_and_it_runs_without_the_server(tmp_path: Path) -> None:
    wheel = agent_wheel()
    (tmp_path / wheel.name).write_bytes(wheel.content)
    target = tmp_path / "installed"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    done = subprocess.run(
        [*command, "--target", str(target), str(tmp_path / wheel.name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (target / "bin" / "profiler-agent").exists()
    script = (
        f"import sys; sys.path += [{str(target)!r}, {sysconfig.get_path('purelib')!r}]\n"
        "from importlib.util import find_spec; assert find_spec('search_server') is None\n"
        f"{BLOCKER.format(blocked=COMPILED)}\n"
        "import profiler_agent.measuring.process, profiler_agent.measuring.simulated_process\n"
        "from profiler_agent.__main__ import app\n"
        f"app(['info', '--json', '--runtime', 'simulated', '--data', {str(tmp_path)!r}])"
    )
    # -S: no .pth file leads back to this repository
    told = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["agent_version"] == version("edgenas-agent")


def test_its_bytes_stay_the_same() -> None:
    first = agent_wheel()
    agent_wheel.cache_clear()
    assert agent_wheel() == first
    assert first.sha256 == hashlib.sha256(first.content).hexdigest()


def test_its_record_lists_each_file_once_with_its_size() -> None:
    with zipfile.ZipFile(io.BytesIO(agent_wheel().content)) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        (record,) = (name for name in sizes if name.endswith("/RECORD"))
        rows = {row[0]: row[2] for row in csv.reader(io.StringIO(archive.read(record).decode()))}
    assert rows.pop(record) == ""
    assert {name: int(size) for name, size in rows.items()} == {
        name: size for name, size in sizes.items() if name != record
    }
    assert not any("__pycache__" in name or name.startswith("search_server/") for name in sizes)
    assert sum("/licenses/" in name for name in sizes) >= 1


def test_pins_are_what_is_installed_here_and_no_runtime() -> None:
    pins = dict(line.split("==") for line in agent_requirements().splitlines())
    assert {"httpx", "h11", "starlette", "typer"} <= pins.keys()  # h11: needed by what httpx needs
    assert not pins.keys() & {"onnxruntime", "ncnn", "numpy", "torch", "edgenas-agent", "edgenas"}
    assert all(version(name) == pin for name, pin in pins.items())
