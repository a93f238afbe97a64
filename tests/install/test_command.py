import socket
import subprocess
from pathlib import Path

import pytest

from search_server.install.command import (
    enrolment_lines,
    install_command,
    network_url,
    note_address,
    noted_address,
)


def test_an_address_that_the_caller_used_is_kept() -> None:
    told = install_command("http://192.168.1.5:8000/")
    assert told.command == "curl -fsS http://192.168.1.5:8000/install/agent.sh | sh"
    assert (told.server_url, told.note) == ("http://192.168.1.5:8000", "")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_loopback_address_becomes_the_one_in_the_network(host: str) -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:
        port = listener.getsockname()[1]
        told = install_command(f"http://{host}:{port}", find_address=lambda: "127.0.0.2")
    assert told.server_url == f"http://127.0.0.2:{port}"
    assert f"{host} would lead a device to itself" in told.note


@pytest.mark.parametrize("address", ["127.0.0.2", None])
def test_a_server_for_its_own_machine_only_says_so(address: str | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        told = install_command(url, find_address=lambda: address)
    assert told.server_url == url
    assert "search-server serve --host 0.0.0.0" in told.note


def test_where_no_server_answers_nothing_is_said_of_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    told = install_command(url, find_address=lambda: "127.0.0.1")
    assert told.server_url == url
    assert told.note.startswith(f"No server answers at {url}.")
    assert "--server-url" in told.note


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8477"),
        ("10.77.0.1", "http://10.77.0.1:8477"),
        ("::", "http://[::1]:8477"),
    ],
)
def test_commands_find_the_server_of_their_data_folder(tmp_path: Path, host: str, url: str) -> None:
    assert noted_address(tmp_path) is None
    note_address(tmp_path, host, 8477)
    assert noted_address(tmp_path) == url


def test_a_server_for_all_tells_its_address_in_the_network() -> None:
    assert network_url("0.0.0.0", 8477, find_address=lambda: "192.168.1.5") == "http://192.168.1.5:8477"
    assert network_url("0.0.0.0", 8477, find_address=lambda: None) is None
    assert network_url("127.0.0.1", 8477, find_address=lambda: "192.168.1.5") is None
    assert network_url("127.0.0.1", 8477, "https://nas.example.org") == "https://nas.example.org"


def test_what_an_operator_set_comes_first() -> None:
    told = install_command("http://localhost:8000", "https://nas.example.org/")
    assert told.command == "curl -fsS https://nas.example.org/install/agent.sh | sh"
    with pytest.raises(ValueError, match="port 70000"):
        install_command("http://localhost:8000", "http://nas:70000")


def test_a_shell_gives_the_token_to_the_script_that_curl_fetched(tmp_path: Path) -> None:
    lines = enrolment_lines(install_command("http://192.168.1.5:8000/"), "edg_enrol_1_a-b")
    stub(tmp_path, "curl", """echo 'echo "token $EDGENAS_ENROLMENT_TOKEN"'; echo "curl $*" >&2""")
    stub(tmp_path, "pkg", """echo "pkg $*" >&2""")
    board, phone = (shell(line, tmp_path) for line in lines[:2])
    assert board.stdout == phone.stdout == "token edg_enrol_1_a-b\n"
    assert board.stderr == "curl -fsS http://192.168.1.5:8000/install/agent.sh\n"
    assert phone.stderr == f"pkg install -y curl\n{board.stderr}"


def test_a_container_gets_the_token_from_its_environment_not_from_an_argument(tmp_path: Path) -> None:
    *_, line = enrolment_lines(install_command("http://192.168.1.5:8000/"), "edg_enrol_1_a-b")
    stub(tmp_path, "docker", """echo "$1 $EDGENAS_ENROLMENT_TOKEN"; echo "$*" >&2""")
    told = shell(line, tmp_path)
    assert told.stdout == "build \nrun edg_enrol_1_a-b\n"
    assert "edg_enrol" not in told.stderr
    assert "EDGENAS_AGENT_SERVER=http://192.168.1.5:8000" in told.stderr


def stub(folder: Path, name: str, script: str) -> None:
    """Write a program that a line finds in the place of a real one."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{folder}:/usr/bin:/bin"}
    return subprocess.run(["sh", "-c", line], env=environment, capture_output=True, text=True, check=True)
