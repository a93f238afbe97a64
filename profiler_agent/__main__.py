"""The command ``profiler-agent``: run, info, selftest, enrol. The one place that reads settings."""

import asyncio
import json
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from profiler_agent.agent import AgentCore
from profiler_agent.apply_settings import (
    measuring_command,
    offered_bounds,
    present_device,
    with_offers,
)
from profiler_agent.carriers.credentials import (
    Credentials,
    credentials_path,
    load_credentials,
    save_credentials,
)
from profiler_agent.carriers.dial_out import DialOutError
from profiler_agent.carriers.enrolment import enrol_device, read_enrolment_token
from profiler_agent.carriers.errands import UpgradedError
from profiler_agent.carriers.run_agent import run_agent
from profiler_agent.runtimes import HOW_TO_INSTALL_ONE
from profiler_agent.selftest.measure import NETWORK, run_selftest
from profiler_agent.settings import (
    DEFAULT_LISTEN,
    AgentSettings,
    load_settings,
    parse_address,
    store_settings,
)
from profiler_agent.show import device_table, print_selftest
from shared.program_version import version_option
from shared.protocol.call_server import NoAnswerError, RequestRefusedError
from shared.protocol.device import Device, DeviceCreate
from shared.protocol.measurement import Policy
from shared.protocol.wire import to_dict

_stderr = Console(stderr=True)

REFUSED_FOR_GOOD = 78
"""Exit status where starting again cannot help (EX_CONFIG of sysexits.h): systemd leaves it then."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Measures neural networks on this device for an edgenas server.",
    epilog="Each flag can also be set as EDGENAS_AGENT_<FLAG>, or in agent.toml in the data folder.",
)

DataOption = Annotated[
    str | None, typer.Option("--data", metavar="DIR", help="Folder for credential, models and results.")
]
NameOption = Annotated[str | None, typer.Option("--name", help="What people call this device.")]
CoresOption = Annotated[
    str | None, typer.Option("--cores", metavar="0,1", help="The cores that measurements may use.")
]
ThreadsOption = Annotated[
    str | None, typer.Option("--threads", metavar="N", help="Most threads per network.")
]
RuntimeOption = Annotated[str | None, typer.Option("--runtime", help="Offer this runtime only.")]
SimulatedDeviceOption = Annotated[
    str | None,
    typer.Option(
        metavar="D", help="Whose noise --runtime simulated has, such as samsung_s7; nothing is measured."
    ),
]
OnlyWhenOption = Annotated[
    str | None,
    typer.Option(
        metavar="CONDITIONS",
        help="Take leases only when charging, idle, night=22:00-07:00; those you name, with commas.",
    ),
]
AllowUpgradeOption = Annotated[
    bool | None,
    typer.Option(
        "--allow-upgrade/--no-upgrade",
        help="Whether the server may upgrade this agent; it may not unless you allow it.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def main() -> None:
    """Entry of the console script."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    app(prog_name="profiler-agent")


@app.callback()
def root(
    version: Annotated[bool, version_option("profiler-agent", "edgenas-agent")] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command()
def run(
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve here; the host is 127.0.0.1 if left out.")
    ] = None,
    server: Annotated[str | None, typer.Option(metavar="URL", help="Dial out to this server.")] = None,
    cores: CoresOption = None,
    threads: ThreadsOption = None,
    runtime: RuntimeOption = None,
    simulated_device: SimulatedDeviceOption = None,
    only_when: OnlyWhenOption = None,
    allow_upgrade: AllowUpgradeOption = None,
    data: DataOption = None,
    name: NameOption = None,
) -> None:
    """Measure what a server asks for: dial out to it, serve over HTTP, or both.

    Without --listen and --server it dials the server it is enrolled at, or serves on 127.0.0.1:8070.

    Example, behind a router: [bold]profiler-agent run --server https://nas.example.org --cores 2,3[/bold]

    Example, over USB: [bold]profiler-agent run --listen 8070[/bold] here, and
    [bold]adb forward tcp:8070 tcp:8070[/bold] where the server runs.

    Example, for a load test, all times made up: [bold]profiler-agent run --runtime simulated[/bold]
    """
    settings = _settings(
        listen=listen,
        server=server,
        cores=cores,
        threads=threads,
        runtime=runtime,
        simulated_device=simulated_device,
        only_when=only_when,
        allow_upgrade=_word(allow_upgrade),
        data=data,
        name=name,
    )
    credentials = _credentials(settings)
    if settings.server is None and settings.listen is None:
        address = credentials.server
        settings = replace(settings, server=address, listen=None if address else DEFAULT_LISTEN)
    if settings.server is not None and credentials.server != settings.server.rstrip("/"):
        known = f"only at {credentials.server}" if credentials.server else "nowhere yet"
        _fail(
            f"this device is not enrolled at {settings.server} ({known}); "
            f"run: profiler-agent enrol {settings.server}"
        )
    device = _device(settings)
    core = AgentCore(
        settings.data, credentials.device_id, offered_bounds(settings), measuring_command(settings)
    )
    try:
        is_complete = asyncio.run(
            run_agent(
                core,
                device,
                settings.data,
                credentials,
                settings.listen,
                settings.server,
                settings.only_when,
            )
        )
    except UpgradedError as upgraded:
        typer.echo(f"{upgraded}; starting it", err=True)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    except DialOutError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(REFUSED_FOR_GOOD) from None
    except OSError as error:
        _fail(str(error))
    raise typer.Exit(0 if is_complete else 1)


@app.command()
def info(
    as_json: JsonOption = False,
    runtime: RuntimeOption = None,
    simulated_device: SimulatedDeviceOption = None,
    data: DataOption = None,
    name: NameOption = None,
) -> None:
    """Show what this device is, which runtimes it has, and what it cannot tell.

    Example: [bold]profiler-agent info --json[/bold]
    """
    settings = _settings(runtime=runtime, simulated_device=simulated_device, data=data, name=name)
    credentials = _credentials(settings)
    device = asyncio.run(with_offers(_device(settings)))
    if as_json:
        enrolment = {"server": credentials.server, "device_id": credentials.device_id}
        typer.echo(json.dumps({**to_dict(device), **enrolment}, indent=2))
    else:
        Console().print(device_table(device, credentials.server, credentials.device_id))


@app.command()
def selftest(
    seconds: Annotated[
        float, typer.Option(min=0.1, max=120, help="How long to measure each runtime.")
    ] = 10.0,
    as_json: JsonOption = False,
    cores: CoresOption = None,
    threads: ThreadsOption = None,
    runtime: RuntimeOption = None,
    data: DataOption = None,
) -> None:
    """Measure a built-in network on each runtime, judge the stability and say what to fix.

    Ends with status 1 if no runtime gives numbers that can be trusted.

    Example: [bold]profiler-agent selftest --cores 2 --seconds 20[/bold]
    """
    settings = _settings(cores=cores, threads=threads, runtime=runtime, data=data)
    device = _device(settings)
    core = AgentCore(settings.data, bounds=offered_bounds(settings), command=measuring_command(settings))
    policy = Policy(window_s=seconds, warmup_s=min(1.0, seconds), max_rounds=100_000)
    with _stderr.status(f"measuring {NETWORK} on {len(device.runtimes)} runtimes, {seconds:g} s each"):
        reports = list(run_selftest(core, device, settings.cores, settings.threads or 1, policy))
    if as_json:
        typer.echo(json.dumps([report.to_dict() for report in reports], indent=2))
    else:
        print_selftest(Console(), reports)
    if not reports:
        _fail(f"this device has no runtime; {HOW_TO_INSTALL_ONE}")
    raise typer.Exit(0 if any(report.is_usable for report in reports) else 1)


@app.command()
def enrol(
    url: Annotated[str, typer.Argument(metavar="URL", help="The server, such as https://nas.example.org")],
    token_file: Annotated[
        Path | None, typer.Option(help="File that holds the enrolment token; - is standard input.")
    ] = None,
    agent_url: Annotated[
        str | None,
        typer.Option(help="Where the server may call this agent; left out, the agent dials out."),
    ] = None,
    replace_existing: Annotated[
        bool, typer.Option("--replace", help="Give up an enrolment that exists.")
    ] = False,
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", help="A word by which the server chooses several devices; repeat it."),
    ] = None,
    only_when: OnlyWhenOption = None,
    allow_upgrade: AllowUpgradeOption = None,
    runtime: RuntimeOption = None,
    simulated_device: SimulatedDeviceOption = None,
    data: DataOption = None,
    name: NameOption = None,
) -> None:
    """Swap an enrolment token for this device's own credential.

    The token comes from a file, from EDGENAS_ENROLMENT_TOKEN, or is asked for; never from the command
    line, where every user of the machine could read it. The server's administrator makes one with
    'search-server token create --scope enrol'. --only-when and --allow-upgrade are kept in agent.toml in
    the data folder, also on a device that is enrolled already.

    Example: [bold]profiler-agent enrol https://nas.example.org --name phone --tag kitchen[/bold]
    """
    kept = {"only_when": only_when, "allow_upgrade": _word(allow_upgrade)}
    settings = _settings(runtime=runtime, simulated_device=simulated_device, data=data, name=name, **kept)
    store_settings(settings.data, kept)
    credentials = _credentials(settings)
    if credentials.device_id is not None and not replace_existing:
        typer.echo(f"already enrolled at {credentials.server} as {credentials.device_id}", err=True)
        if credentials.server == url.rstrip("/"):
            return
        _fail(f"to move to {url}, run: profiler-agent enrol {url} --replace")
    try:
        token = read_enrolment_token(token_file, os.environ)
        device = asyncio.run(with_offers(_device(settings)))
        create = DeviceCreate(device, agent_url, tuple(tag or ()))
        enrolled = asyncio.run(enrol_device(url, token, create, credentials))
    except ValueError as error:
        _misuse(str(error))
    except (RequestRefusedError, NoAnswerError) as error:
        _fail(f"enrolment failed: {error}")
    save_credentials(settings.data, enrolled)
    where = credentials_path(settings.data)
    typer.echo(f"enrolled as {enrolled.device_id}; the credential is in {where}", err=True)
    if sys.stdin.isatty():  # the install script tells what is next by itself
        typer.echo("next: profiler-agent selftest, then profiler-agent run", err=True)


def _word(answer: bool | None) -> str | None:
    return None if answer is None else "yes" if answer else "no"


def _settings(**flags: str | None) -> AgentSettings:
    try:
        settings = load_settings(flags, os.environ)
        if settings.listen is not None:
            parse_address(settings.listen)
    except ValueError as error:
        _misuse(str(error))
    return settings


def _credentials(settings: AgentSettings) -> Credentials:
    try:
        return load_credentials(settings.data)
    except ValueError as error:
        _fail(str(error))


def _device(settings: AgentSettings) -> Device:
    try:
        return present_device(settings)
    except ValueError as error:
        _misuse(str(error))


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)


def _misuse(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)


if __name__ == "__main__":
    main()
