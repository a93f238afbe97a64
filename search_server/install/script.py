"""The script that puts the agent on a device, filled in with this server's address and wheel."""

import shlex
from importlib import resources

from search_server.install.agent_wheel import agent_wheel
from shared.protocol.address import checked_address

SCRIPT_PATH = "/install/agent.sh"


def install_script(server_url: str) -> str:
    """Return the script for a device that reaches the server at an address.

    Raises:
        ValueError: the address is none.
    """
    wheel = agent_wheel()
    folder = resources.files("search_server.install")
    values = {
        "@SERVER@": shlex.quote(checked_address(server_url)),
        "@WHEEL@": shlex.quote(wheel.name),
        "@SHA256@": wheel.sha256,
        "@UNIT@\n": (folder / "edgenas-agent.service").read_text(),
    }
    text = (folder / "agent.sh").read_text()
    for name, value in values.items():
        text = text.replace(name, value)
    return text
