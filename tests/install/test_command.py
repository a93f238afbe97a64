import socket

import pytest

from search_server.install.command import install_command


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


def test_what_an_operator_set_comes_first() -> None:
    told = install_command("http://localhost:8000", "https://nas.example.org/")
    assert told.command == "curl -fsS https://nas.example.org/install/agent.sh | sh"
    with pytest.raises(ValueError, match="port 70000"):
        install_command("http://localhost:8000", "http://nas:70000")
