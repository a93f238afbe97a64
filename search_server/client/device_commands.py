"""``edgenas devices``: what has enrolled with a server."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer
from rich.console import Console

from search_server.client.commands import (
    JsonOption,
    MineOption,
    TagOption,
    command,
    err,
    out,
    print_facts,
    print_json,
)
from search_server.client.device_view import (
    canary_words,
    core_words,
    runtime_words,
    state_word,
    upgrade_words,
)
from search_server.client.fleet import chosen_devices, on_each
from search_server.client.fleet_view import require_all
from search_server.client.grid import grid
from search_server.client.search_client import SearchClient
from search_server.client.show import age
from search_server.resources.devices import DeviceResource, DeviceUpdate, InstallCommand

devices_app = typer.Typer(no_args_is_help=True, help="Devices that have enrolled with the server.")

WIDE = 140
"""Columns of a terminal from which a list of devices tells all."""

DevicesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[D...]", help="Names or ids of devices.", show_default=False)
]
DeviceArgument = Annotated[str, typer.Argument(metavar="D", help="Name or id of a device.")]


@command(devices_app, "list")
def list_devices(
    client: SearchClient,
    tag: Annotated[
        str | None, typer.Option("--tag", metavar="TAG", help="Only devices that carry this tag.")
    ] = None,
    mine: MineOption = False,
    json: JsonOption = False,
) -> None:
    """List devices with their runtimes and when they were last seen.

    Example: edgenas devices list --tag kitchen
    """
    devices = list(client.devices(tag, "me" if mine else None))
    if json:
        print_json(devices)
        return
    if not devices and tag is not None:
        err.print(
            f"no device carries the tag {tag}; put it on with: edgenas devices tag NAME +{tag}",
            markup=False,
        )
        return
    if not devices and not mine:
        err.print("No device has enrolled yet.")
        _print_steps(client.install_command(), err)
        return
    # What does not fit into a narrow terminal is told by 'edgenas devices show'.
    wide = ("machine", ">cores", "owner", "id") if out.width >= WIDE else ()
    table = grid("name", "state", "last seen", "tags", "runtimes", "agent", *wide)
    now = datetime.now(UTC)
    for device in devices:
        facts_of = device.device
        machine, cores = facts_of.cpu_model or facts_of.machine, str(len(facts_of.usable_cores))
        more = (machine, cores, device.owner, device.device_id)
        table.add_row(
            device.name,
            state_word(device),
            age(device.last_seen_at, now),
            " ".join(device.tags),
            runtime_words(facts_of) if wide else ", ".join(each.name for each in facts_of.runtimes),
            (facts_of.agent_version or "-") + (", upgrade offered" if device.can_upgrade else ""),
            *(more if wide else ()),
        )
    out.print(table)


@command(devices_app, "add")
def add_device(
    client: SearchClient,
    token: Annotated[
        bool,
        typer.Option("--token", help="Make an enrolment token, good for an hour, and put it in the line."),
    ] = False,
    kind: Annotated[
        Literal["board", "phone", "container"],
        typer.Option(
            "--on", help="With --token: what the line is for; a phone has Termux, a container a clone."
        ),
    ] = "board",
    json: JsonOption = False,
) -> None:
    """Show what to type on a device so that it appears here.

    Example: edgenas devices add

    Example: edgenas devices add --token --on phone
    """
    if token:
        enrolment = client.enrolment()
        if json:
            print_json(enrolment)
            return
        line = {"board": enrolment.board, "phone": enrolment.phone, "container": enrolment.container}[kind]
        out.print(line, soft_wrap=True, markup=False, highlight=False)
        if enrolment.note:
            err.print(enrolment.note, soft_wrap=True, markup=False)
        return
    install = client.install_command()
    if json:
        print_json(install)
        return
    _print_steps(install, out)


@command(devices_app, "show")
def show_device(device: DeviceArgument, client: SearchClient, json: JsonOption = False) -> None:
    """Show what a device is, how it was when last seen, and what it cannot tell.

    Example: edgenas devices show pixel
    """
    found = client.device(device)
    if json:
        print_json(found)
        return
    fixed, moment = found.device, found.environment
    temperature = "unknown" if moment.temperature_c is None else f"{moment.temperature_c:.0f} °C"
    load = "unknown" if moment.load_1m is None else f"{moment.load_1m:.2f}"
    memory = "unknown" if fixed.memory_bytes is None else f"{fixed.memory_bytes / 2**30:.1f} GiB"
    print_facts(
        {
            "name": found.name,
            "id": found.device_id,
            "owner": found.owner,
            "state": state_word(found),
            "tags": " ".join(found.tags) or "none",
            "last seen": age(found.last_seen_at, datetime.now(UTC)),
            "at work on": found.current_job_id or "nothing",
            "carrier": f"called at {found.agent_url}" if found.agent_url else "dials out",
            "system": f"{fixed.system}, {fixed.machine} ({fixed.platform})",
            "processor": f"{fixed.cpu_model or 'unknown'}, {core_words(fixed)}",
            "memory": memory,
            "runtimes": runtime_words(fixed),
            "agent": f"{fixed.agent_version}, Python {fixed.python_version}",
            "upgrade": upgrade_words(found),
            "load": load,
            "temperature": temperature,
            "canary": canary_words(client.device_trend(device)),
            "cannot tell": ", ".join(fixed.unknown) or "nothing: all facts are known",
        }
    )


@command(devices_app, "tag", context_settings={"ignore_unknown_options": True})  # -old is no option
def tag_device(
    device: DeviceArgument,
    changes: Annotated[
        list[str], typer.Argument(metavar="+TAG|-TAG...", help="Tags to put on (+) and to take off (-).")
    ],
    client: SearchClient,
    json: JsonOption = False,
) -> None:
    """Put tags on a device, or take them off; commands choose devices by --tag.

    Example: edgenas devices tag pixel +kitchen -old
    """
    for change in changes:
        if change[:1] not in ("+", "-") or not change[1:]:
            raise ValueError(f"a change of tags is +TAG or -TAG, such as +kitchen; got {change!r}")
    added = tuple(change[1:] for change in changes if change.startswith("+"))
    removed = tuple(change[1:] for change in changes if change.startswith("-"))
    found = client.update_device(device, DeviceUpdate(add_tags=added, remove_tags=removed))
    if json:
        print_json(found)
        return
    err.print(f"device {found.name} has the tags: {' '.join(found.tags) or 'none'}", markup=False)


@command(devices_app, "rotate")
def rotate_credentials(
    client: SearchClient, device: DevicesArgument = None, tag: TagOption = None, json: JsonOption = False
) -> None:
    """Let devices renew their credentials; the old one of each ends once the new one is used.

    A device does so when it next calls, within a minute. Credentials of 90 days are renewed by themselves.

    Example: edgenas devices rotate pixel
    """
    _ask(client, device, tag, client.rotate_credential, "renews its credential when it next calls", json)


@command(devices_app, "upgrade")
def upgrade_agents(
    client: SearchClient, device: DevicesArgument = None, tag: TagOption = None, json: JsonOption = False
) -> None:
    """Let devices upgrade their agents to the server's own, where their owners allowed that.

    An agent does so between two leases and starts again; 'edgenas devices list' shows the versions.

    Example: edgenas devices upgrade --tag kitchen
    """
    _ask(client, device, tag, client.upgrade_agent, "upgrades its agent when it next calls", json)


@command(devices_app, "remove")
def remove_device(
    device: DeviceArgument,
    client: SearchClient,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a device: its credential ends at once, its measurements stay.

    Example: edgenas devices remove pixel --yes
    """
    found = client.device(device)
    if not yes and not _confirmed(f"Remove device {found.name} ({found.device_id})?"):
        err.print("nothing was removed; --yes removes it without asking")
        raise typer.Exit(1)
    client.remove_device(found.device_id)
    err.print(f"removed device {found.name}")


def _confirmed(question: str) -> bool:
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:  # nobody there to answer
        err.print()
        return False


def _ask(
    client: SearchClient,
    names: list[str] | None,
    tag: str | None,
    ask: Callable[[str], DeviceResource],
    what: str,
    json: bool,
) -> None:
    """Ask devices for something; ends with status 1 if one of them cannot do it."""
    outcomes = on_each(chosen_devices(client, names or (), tag), ask)
    if json:
        print_json(outcomes)
    for outcome in () if json else outcomes:
        is_to_do = outcome.value and (outcome.value.should_rotate or outcome.value.should_upgrade)
        done = f"{what}" if is_to_do else "has the server's agent already"
        line = f"device {outcome.device} {done}" if outcome.value else outcome.error
        err.print(line, markup=False, soft_wrap=True)
    require_all(outcomes)


def _print_steps(install: InstallCommand, console: Console) -> None:
    """Print where the token comes from and the line for the device."""
    lines = [
        "On the server, make a token that works once:",
        "  search-server token create --scope enrol --ttl 1h",
        "On the device, type this line; it asks for the token:",
        f"  {install.command}",
        *([install.note] if install.note else []),
    ]
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
