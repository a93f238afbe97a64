"""The one line as root in a container: it upgrades, and leaves nothing."""

from pathlib import Path

import pytest

from scripts.local_services import create_token, stop, user_token
from search_server.client import SearchClient
from tests.install.board import played_board, why_not_here
from tests.install.seen import until_it_calls

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),  # two installations on a machine that may be busy
    pytest.mark.skipif(bool(why_not_here()), reason=why_not_here() or "-"),
]


IN_A_CONTAINER = "EDGENAS_AGENT_DATA=/var/lib/edgenas-agent /opt/edgenas-agent/bin/profiler-agent run"


@pytest.mark.parametrize(
    ("user", "has_systemd", "start"),
    [("root", False, IN_A_CONTAINER)],
    ids=["container"],
)
def test_it_starts_by_the_line_that_is_printed_and_is_removed_whole(
    tmp_path: Path, server: str, user: str, has_systemd: bool, start: str
) -> None:
    with (
        played_board(has_systemd=has_systemd) as board,
        SearchClient(server, user_token(tmp_path)) as client,
    ):
        before = board.files()
        told = board.type_line(server, "--name board", create_token(tmp_path, "enrol"), user)
        assert told.endswith(f"Start it with:  {start}\n")
        agent = board.start(start, user)
        try:
            device = until_it_calls(client, lambda _: True).device
            assert [runtime.name for runtime in device.runtimes] == ["onnxruntime"]

            told = board.type_line(server, "", user=user)
            assert "already enrolled" in told
            assert f"The agent of before still runs; end it with: kill {agent.pid}" in told
            assert [device.name for device in client.devices()] == ["board"]

            board.type_line(server, "--uninstall", user=user)
            agent.wait(60)  # uninstalling ends what runs
        finally:
            stop([agent])
        assert board.files() == before
        assert board.systemctl_was_told() == ""
        assert "There is no agent at" in board.type_line(server, "--uninstall", user=user)
