"""What ``--allow-upgrade`` changes under systemd: who may write the environment, what root then runs."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.local_services import create_token, free_port, start, stop, user_token, wait_until_ready
from search_server.client import SearchClient
from search_server.client.errors import ServerRefusedError
from search_server.install.agent_wheel import own_wheel
from search_server.resources.devices import DeviceResource
from tests.flow.board_with_systemd import TOLD, UNIT, Board, board_with_systemd, why_not_here

VENV, DATA = "/opt/edgenas-agent", "/var/lib/edgenas-agent"
MARK = f"{VENV}/edgenas-agent.sha256"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not_here()), reason=why_not_here() or "-")]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = start(
        "search-server", "serve", "--port", str(port), "--data", str(tmp_path), log=tmp_path / "server.log"
    )
    try:
        wait_until_ready(url, process)
        yield url
    finally:
        stop([process])


@pytest.fixture
def board() -> Iterator[Board]:
    with board_with_systemd() as board:
        yield board


def type_line(board: Board, server: str, options: str, token: str = "") -> str:
    """Run what a person would type and return what it says."""
    line = f"curl -fsS {server}/install/agent.sh | sh -s -- {options}"
    variables = {"EDGENAS_ENROLMENT_TOKEN": token} if token else {}
    done = board.run("sh", "-c", line, PIP_NO_INDEX="1", EDGENAS_INSTALL_SITE_PACKAGES="1", **variables)
    assert done.returncode == 0, done.stderr
    return done.stderr


def until(client: SearchClient, is_so: Callable[[DeviceResource], bool]) -> DeviceResource:
    """Wait until something holds for the device called ``board``."""
    end_s = time.monotonic() + 180
    while not is_so(device := client.device("board")):
        assert time.monotonic() < end_s, device
        time.sleep(0.2)
    return device


def owner(board: Board, path: str) -> str:
    return board.run("stat", "-c", "%U", path).stdout.strip()


def seen_again(client: SearchClient, board: Board, is_so: Callable[[DeviceResource], bool]) -> None:
    """Run the unit until its agent has told something, and stop it."""
    agent = board.start_unit()
    try:
        until(client, is_so)
    finally:
        stop([agent])


def test_the_server_upgrades_where_the_owner_allows_it_and_nowhere_else(
    tmp_path: Path, server: str, board: Board
) -> None:
    token = create_token(tmp_path, "enrol")
    told = type_line(board, server, "--name board", token)
    assert "journalctl -u edgenas-agent" in told
    assert "enable --quiet edgenas-agent\nrestart edgenas-agent\n" in board.run("cat", TOLD).stdout
    assert (owner(board, VENV), owner(board, DATA)) == ("root", "edgenas")
    with SearchClient(server, user_token(tmp_path)) as client:
        before = client.device("board").last_seen_at
        seen_again(client, board, lambda device: device.last_seen_at != before and not device.waiting_for)
        assert not client.device("board").device.accepts_upgrade
        with pytest.raises(ServerRefusedError, match="did not allow it"):
            client.upgrade_agent("board")

        type_line(board, server, "--allow-upgrade")
        board.run("sh", "-c", f"echo {'0' * 64} >{MARK}")  # what an older server's agent would have there
        agent = board.start_unit()
        try:
            assert until(client, lambda device: device.can_upgrade).is_agent_current is False
            first = json.loads(board.run("cat", f"{DATA}/credential.json").stdout)
            assert client.upgrade_agent("board").should_upgrade
            now = until(client, lambda device: not device.should_upgrade)
            assert (now.upgrade_failure, now.is_agent_current, now.can_upgrade) == ("", True, False)
            assert board.run("cat", MARK).stdout.strip() == own_wheel().sha256
            assert json.loads(board.run("cat", f"{DATA}/credential.json").stdout) == first
            assert agent.poll() is None
        finally:
            stop([agent])


SPY = """import os
with open("/run/spied", "a") as file:
    file.write("%d " % os.geteuid())
"""
"""Each Python that finds it says who runs it."""


def test_root_runs_nothing_that_the_agent_could_have_changed(
    tmp_path: Path, server: str, board: Board
) -> None:
    type_line(board, server, "--name board --allow-upgrade", create_token(tmp_path, "enrol"))
    assert owner(board, f"{VENV}/bin") == "edgenas"
    purelib = board.run("sh", "-c", f"echo {VENV}/lib/python*/site-packages").stdout.strip()
    as_agent = ("runuser", "-u", "edgenas", "--", "sh", "-c", 'printf "%s\\n" "$1" >"$2"', "sh")
    assert board.run(*as_agent, SPY, f"{purelib}/spy.py").returncode == 0
    assert board.run(*as_agent, "import spy", f"{purelib}/spy.pth").returncode == 0
    board.run("sh", "-c", "touch /run/spied; chmod 666 /run/spied")
    type_line(board, server, "")
    uids = set(board.run("cat", "/run/spied").stdout.split())
    assert uids == {board.run("id", "-u", "edgenas").stdout.strip()}

    type_line(board, server, "--no-upgrade")
    assert board.run("test", "-e", f"{purelib}/spy.py").returncode != 0
    assert owner(board, f"{VENV}/bin") == "root"
    assert board.run("test", "-e", f"{UNIT}.d/upgrade.conf").returncode != 0
    assert set(board.run("cat", "/run/spied").stdout.split()) == uids
    with SearchClient(server, user_token(tmp_path)) as client:
        seen_again(client, board, lambda device: not device.device.accepts_upgrade)

    type_line(board, server, "--uninstall")
    left = board.run("sh", "-c", f"ls -d {VENV} {DATA} {UNIT} {UNIT}.d; getent passwd edgenas")
    assert left.stdout == ""
