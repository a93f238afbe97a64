"""``edgenas devices call``: where the server calls the agent of a device, and with which token."""

from typing import Annotated

import typer
from rich.markup import escape

from search_server.client.commands import command, err
from search_server.client.device_commands import DeviceArgument
from search_server.client.search_client import SearchClient
from search_server.resources.devices import DeviceUpdate


def add_command(app: typer.Typer) -> None:
    """Add the command to the devices."""
    command(app, "call")(call)


def call(
    device: DeviceArgument,
    at: Annotated[str, typer.Option("--at", metavar="URL", help="Where the agent listens.")],
    client: SearchClient,
) -> None:
    """Let the server call the agent of a device, which listens: over USB, or in a network of its own.

    It asks for the agent's token, the serve_token in credential.json of the agent's data folder. A worker
    calls agents in the networks that EDGENAS_AGENT_NETWORKS allows.

    Example: edgenas devices call pixel --at http://127.0.0.1:8070
    """
    token = typer.prompt("Token of the agent", hide_input=True, err=True).strip()
    found = client.update_device(device, DeviceUpdate(agent_url=at, agent_token=token))
    err.print(f"device {escape(found.name)} is called at {escape(found.agent_url or at)}", soft_wrap=True)
