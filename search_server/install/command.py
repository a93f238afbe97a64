"""The one line that a person types on a device, with an address of the server that the device can reach."""

import shlex
import socket
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from search_server.install.script import SCRIPT_PATH
from search_server.resources.devices import InstallCommand
from shared.protocol.address import checked_address

_ADDRESS_FILE = "address"
_CONNECT_TIMEOUT_S = 1.0
_DEFAULT_PORTS = {"http": 80, "https": 443}


def lan_address() -> str | None:
    """Return this machine's address in the network that leads outside; None if there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("203.0.113.1", 9))  # an address for documentation; connecting sends nothing
        except OSError:
            return None
        return str(probe.getsockname()[0])


def install_command(
    opened_as: str, public_url: str | None = None, find_address: Callable[[], str | None] = lan_address
) -> InstallCommand:
    """Return the line, and what a person should know about the address in it.

    Args:
        opened_as: the address under which the caller reaches the server.
        public_url: the address for devices that an operator set.
        find_address: this machine's address in its network.

    Raises:
        ValueError: one of the addresses is none.
    """
    if public_url is not None:
        return _command(public_url)
    parts = urlsplit(checked_address(opened_as))
    if not _is_loopback(parts.hostname or ""):
        return _command(opened_as)
    address = find_address()
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    if address is None or not _answers(address, port):
        return _command(
            opened_as,
            "The server answers on its own machine only, and so does this line. For other devices start it "
            "with: search-server serve --host 0.0.0.0"
            if _answers(parts.hostname or "", port)
            else f"No server answers at {opened_as}. If yours listens elsewhere, give its address with "
            "--server-url http://HOST:PORT.",
        )
    return _command(
        f"{parts.scheme}://{address}:{port}",
        f"{address} is the server's address in its network; {parts.hostname} would lead a device to "
        "itself. If devices reach the server by another address, set EDGENAS_PUBLIC_URL.",
    )


def own_url(host: str, port: int) -> str:
    """Return where a server that listens on an address is opened on its own machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def network_url(
    host: str,
    port: int,
    public_url: str | None = None,
    find_address: Callable[[], str | None] = lan_address,
) -> str | None:
    """Return where other machines reach that server; None where they do not, or nobody can say."""
    address = find_address() if host == "0.0.0.0" else None
    return public_url or (f"http://{address}:{port}" if address else None)


def note_address(data: Path, host: str, port: int) -> None:
    """Keep in the data folder where its server listens, for commands of this machine."""
    (data / _ADDRESS_FILE).write_text(own_url(host, port))


def noted_address(data: Path) -> str | None:
    """Return where the last server of this data folder listened; None if there was none."""
    path = data / _ADDRESS_FILE
    return path.read_text() if path.exists() else None


def enrolment_lines(command: InstallCommand, token: str) -> tuple[str, str, str]:
    """Return the line with a token in it for a board, a phone with Termux and a container.

    The token is in the environment, never an argument: every user of a machine can read those.
    """
    given = f"EDGENAS_ENROLMENT_TOKEN={token}"
    line = command.command.removesuffix("sh") + f"{given} sh"
    build = "docker build -q -f deploy/agent.Dockerfile -t edgenas-agent ."
    run = "docker run -d --restart on-failure -v edgenas-agent:/data -e EDGENAS_ENROLMENT_TOKEN"
    server = f"-e EDGENAS_AGENT_SERVER={shlex.quote(command.server_url)}"
    return line, f"pkg install -y curl && {line}", f"{build} && {given} {run} {server} edgenas-agent"


def _command(url: str, note: str = "") -> InstallCommand:
    url = checked_address(url)
    return InstallCommand(f"curl -fsS {shlex.quote(url + SCRIPT_PATH)} | sh", url, note)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), _CONNECT_TIMEOUT_S).close()
    except OSError:
        return False
    return True
