"""What ``--allow-upgrade`` changes under systemd: who may write the environment, what root then runs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.local_services import create_token, stop, user_token
from search_server.client import SearchClient
from search_server.client.errors import ServerRefusedError
from search_server.install.agent_wheel import own_wheel
from tests.install.board import UNIT, Board, played_board, why_not_here
from tests.install.seen import until, until_it_calls

VENV, DATA = "/opt/edgenas-agent", "/var/lib/edgenas-agent"
MARK = f"{VENV}/edgenas-agent.sha256"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),  # each line that is typed makes an environment or runs pip several times
    pytest.mark.skipif(bool(why_not_here()), reason=why_not_here() or "-"),
]


@pytest.fixture
def board() -> Iterator[Board]:
    with played_board(has_systemd=True) as board:
        yield board


@contextmanager
def running(board: Board) -> Iterator[None]:
    """Run the unit; its agent must still run at the end."""
    agent = board.start_unit()
    try:
        yield
        assert agent.poll() is None
    finally:
        stop([agent])


def owner(board: Board, path: str) -> str:
    return board.run("stat", "-c", "%U", path).stdout.strip()


def make_old(board: Board) -> None:
    """Write what the agent of an older server would have noted: the current one is not upgraded."""
    board.run("sh", "-c", f"echo {'0' * 64} >{MARK}")


def test_the_server_upgrades_where_the_owner_allows_it_and_nowhere_else(
    tmp_path: Path, server: str, board: Board
) -> None:
    told = board.type_line(server, "--name board", create_token(tmp_path, "enrol"))
    assert "journalctl -u edgenas-agent" in told
    assert "enable --quiet edgenas-agent\nrestart edgenas-agent\n" in board.systemctl_was_told()
    assert (owner(board, VENV), owner(board, DATA)) == ("root", "edgenas")
    with SearchClient(server, user_token(tmp_path)) as client:
        make_old(board)
        with running(board):
            assert not until_it_calls(client, lambda _: True).device.accepts_upgrade
        with pytest.raises(ServerRefusedError, match="did not allow it"):
            client.upgrade_agent("board")

        board.type_line(server, "--allow-upgrade")
        make_old(board)
        with running(board):
            assert until(client, lambda device: device.can_upgrade).is_agent_current is False
            first = json.loads(board.run("cat", f"{DATA}/credential.json").stdout)
            assert client.upgrade_agent("board").should_upgrade
            now = until(client, lambda device: not device.should_upgrade)
            assert (now.upgrade_failure, now.is_agent_current, now.can_upgrade) == ("", True, False)
            assert board.run("cat", MARK).stdout.strip() == own_wheel().sha256
            assert json.loads(board.run("cat", f"{DATA}/credential.json").stdout) == first


SPY = """import os
with open("/run/spied", "a") as file:
    file.write("%d " % os.geteuid())
"""
"""Each Python that finds it says who runs it."""


def test_root_runs_nothing_that_the_agent_could_have_changed(
    tmp_path: Path, server: str, board: Board
) -> None:
    before = board.files()
    board.type_line(server, "--name board --allow-upgrade", create_token(tmp_path, "enrol"))
    assert owner(board, f"{VENV}/bin") == "edgenas"
    purelib = board.run("sh", "-c", f"echo {VENV}/lib/python*/site-packages").stdout.strip()
    for name, text in (("spy.py", SPY), ("spy.pth", "import spy")):
        write = ("sh", "-c", 'printf "%s\\n" "$1" >"$2"', "sh", text, f"{purelib}/{name}")
        assert board.run(*write, user="edgenas").returncode == 0
    board.run("sh", "-c", "touch /run/spied; chmod 666 /run/spied")
    board.type_line(server, "")
    uids = set(board.run("cat", "/run/spied").stdout.split())
    assert uids == {board.run("id", "-u", "edgenas").stdout.strip()}

    board.type_line(server, "--no-upgrade")
    assert board.run("test", "-e", f"{purelib}/spy.py").returncode != 0
    assert owner(board, f"{VENV}/bin") == "root"
    assert board.run("test", "-e", f"{UNIT}.d/upgrade.conf").returncode != 0
    assert set(board.run("cat", "/run/spied").stdout.split()) == uids
    with SearchClient(server, user_token(tmp_path)) as client, running(board):
        until_it_calls(client, lambda device: not device.device.accepts_upgrade)

    board.run("rm", "/run/spied")
    board.type_line(server, "--uninstall")
    assert board.files() == before
