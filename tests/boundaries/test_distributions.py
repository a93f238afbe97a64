"""Two distributions from one repository: the agent for devices, and edgenas, which needs the agent."""

import json
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.boundaries.test_imports import BLOCKER, COMPILED

ROOT = Path(__file__).parents[2]
AGENT = ROOT / "deploy/agent"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, zipfile.ZipFile]:
    """Both wheels by name, built without a network."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(AGENT), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {path.name.partition("-")[0]: zipfile.ZipFile(path) for path in folder.glob("*.whl")}


def packages_of(wheel: zipfile.ZipFile) -> set[str]:
    return {name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" not in name}


def test_no_file_is_in_both_wheels(wheels: dict[str, zipfile.ZipFile]) -> None:
    assert wheels.keys() == {"edgenas", "edgenas_agent"}
    assert not set(wheels["edgenas"].namelist()) & set(wheels["edgenas_agent"].namelist())
    assert packages_of(wheels["edgenas_agent"]) == {"profiler_agent", "shared"}
    assert "search_server" in packages_of(wheels["edgenas"])


def test_the_unpacked_agent_works_without_the_rest(
    wheels: dict[str, zipfile.ZipFile], tmp_path: Path
) -> None:
    wheels["edgenas_agent"].extractall(tmp_path / "unpacked")
    script = (
        f"import sys; sys.path += [{str(tmp_path / 'unpacked')!r}, {sysconfig.get_path('purelib')!r}]\n"
        "from importlib.util import find_spec; assert find_spec('search_server') is None\n"
        f"{BLOCKER.format(blocked=COMPILED)}\n"
        "import profiler_agent.measuring.process, profiler_agent.measuring.simulated_process\n"
        "from profiler_agent.__main__ import app\n"
        f"app(['info', '--json', '--runtime', 'simulated', '--data', {str(tmp_path)!r}])"
    )
    command = [sys.executable, "-I", "-S", "-c", script]  # -S: no .pth file leads back to this repository
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    device = json.loads(done.stdout)
    assert device["agent_version"] == project(AGENT)["version"]
    assert [runtime["name"] for runtime in device["runtimes"]] == ["simulated"]


def project(folder: Path) -> dict[str, object]:
    document: dict[str, object] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return document


def test_edgenas_needs_the_agent_of_its_own_version() -> None:
    whole, agent = project(ROOT), project(AGENT)
    pin = f"=={agent['version']}"
    assert whole["version"] == agent["version"]
    assert f"edgenas-agent{pin}" in lines(whole["dependencies"])
    for extra in extras(agent):
        assert extras(whole)[extra] == [f"edgenas-agent[{extra}]{pin}"]
    assert "agent" in extras(whole)
    assert (AGENT / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def lines(value: object) -> list[str]:
    assert isinstance(value, list)
    return value


def extras(table: dict[str, object]) -> dict[str, list[str]]:
    value = table["optional-dependencies"]
    assert isinstance(value, dict)
    return value


def needed_by(line: str) -> Iterator[str]:
    """Yield the installed package that a line of requirements names here, with all that it needs."""
    requirement = Requirement(line)
    if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
        yield requirement.name
        for further in requires(requirement.name) or ():
            yield from needed_by(further)


def test_what_the_agent_installs_is_pure_python() -> None:
    compiled = {
        name
        for line in lines(project(AGENT)["dependencies"])
        for name in needed_by(line)
        if "Root-Is-Purelib: true" not in (distribution(name).read_text("WHEEL") or "")
    }
    assert compiled == set()


def test_nobody_is_told_to_install_from_a_registry_what_only_this_repository_has() -> None:
    texts = [
        path
        for folder in ("profiler_agent", "search_server", "shared", "edgenas", "docs", "deploy")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".md", ".sh", ".html", ".js", ".service")
    ]
    assert len(texts) > 300
    lines = [line for path in (*texts, ROOT / "README.md") for line in path.read_text().splitlines()]
    named = [line for line in lines if re.search(r"pip install\b.*['\" ]edgenas(-agent)?\b[^_/]", line)]
    assert named == []
