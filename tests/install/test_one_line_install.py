"""The one line that a person types on a device: server, script, agent and list of devices, all real.

No package index is reached: the dependencies that are installed here are shown to the new environment.
"""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from scripts.local_services import create_token, stop, user_token
from search_server.client import SearchClient
from search_server.install.agent_wheel import own_wheel
from tests.install.seen import until

OURS = ("edgenas", "_edgenas", "_editable")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Variables of a device that has all packages of this machine but ours."""
    packages = tmp_path / "packages"
    packages.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(OURS):
            (packages / path.name).symlink_to(path)
    home = tmp_path / "home"
    home.mkdir()
    return {
        "HOME": str(home),
        "PATH": f"{sys.base_prefix}/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(packages),
        "PIP_NO_INDEX": "1",
    }


def type_line(server: str, options: str, environment: dict[str, str]) -> str:
    """Run what a person would type and return what it says."""
    done = subprocess.run(
        ["sh", "-c", f"curl -fsS {server}/install/agent.sh | sh -s -- --user {options}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.slow
def test_one_line_puts_a_device_on_the_list(
    tmp_path: Path, server: str, environment: dict[str, str]
) -> None:
    token = tmp_path / "token"
    token.write_text(create_token(tmp_path, "enrol"))
    told = type_line(server, f"--token-file {token} --name board", environment)
    installed = Path(environment["HOME"]) / ".local/share/edgenas-agent"
    agent = installed / "venv/bin/profiler-agent"
    assert f"Start it with:  {agent} run" in told
    where = "import profiler_agent; print(profiler_agent.__file__)"
    python = [str(installed / "venv/bin/python"), "-c", where]
    found = subprocess.run(python, env=environment, capture_output=True, text=True, check=True, cwd="/")
    assert found.stdout.startswith(str(installed))
    with SearchClient(server, user_token(tmp_path)) as client:
        (device,) = client.devices()
        assert device.name == "board"
        assert "onnxruntime" in {runtime.name for runtime in device.device.runtimes}
        again = type_line(server, "", environment)  # an upgrade; it asks for no token
        assert "already enrolled" in again
        assert [device.name for device in client.devices()] == ["board"]
    type_line(server, "--uninstall", environment)
    assert not installed.exists()


@pytest.mark.slow
def test_an_agent_whose_owner_allows_it_becomes_the_servers_and_rotates(
    tmp_path: Path, server: str, environment: dict[str, str]
) -> None:
    token = tmp_path / "token"
    token.write_text(create_token(tmp_path, "enrol"))
    type_line(server, f"--token-file {token} --name board --allow-upgrade --only-when idle=50", environment)
    installed = Path(environment["HOME"]) / ".local/share/edgenas-agent"
    mark = installed / "venv/edgenas-agent.sha256"
    newest = mark.read_text().strip()
    assert newest == own_wheel().sha256
    mark.write_text("0" * 64)  # what an older server's agent would have there
    first = json.loads((installed / "credential.json").read_text())["token"]
    agent = subprocess.Popen(
        [str(installed / "venv/bin/profiler-agent"), "run"], env=environment, start_new_session=True
    )
    try:
        with SearchClient(server, user_token(tmp_path)) as client:
            until(client, lambda device: device.device.agent_sha256 == "0" * 64)
            assert client.rotate_credential("board").should_rotate
            until(client, lambda device: not device.should_rotate)
            assert client.upgrade_agent("board").should_upgrade
            until(client, lambda device: device.device.agent_sha256 == newest)
            assert client.device("board").upgrade_failure == ""
        assert mark.read_text().strip() == newest
        assert json.loads((installed / "credential.json").read_text())["token"] != first
        assert agent.poll() is None
    finally:
        stop([agent])
