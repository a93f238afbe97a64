"""``edgenas search submit``: a request from a job file, from options, or from both."""

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from search_server.client.commands import JsonOption, command, err, out, print_json
from search_server.client.job_file import read_job_file, search_request
from search_server.client.search_client import SearchClient
from search_server.client.search_commands import watch
from search_server.client.short_ids import whole_id
from search_server.client.short_values import class_options, device_options, number
from search_server.client.show import milliseconds
from search_server.client.submit_parameters import submit_parameters, without_older
from search_server.option_field import options_of
from search_server.resources.searches import SearchCreate, SearchDryRun
from shared.protocol.device import Conditions


def add_command(app: typer.Typer) -> None:
    """Add ``submit`` to the searches, with a parameter for each option of a request."""
    parameters: list[inspect.Parameter] = []
    for each in inspect.signature(submit, eval_str=True).parameters.values():
        parameters += submit_parameters(SearchCreate) if each.name == "options" else [each]
    signature = inspect.Signature([each.replace(kind=each.KEYWORD_ONLY) for each in parameters])
    submit.__signature__ = signature  # type: ignore[attr-defined]  # what the command is built from
    submit.__annotations__ = {each.name: each.annotation for each in signature.parameters.values()}
    command(app, "submit")(submit)


def submit(
    client: SearchClient,
    conditions: Conditions | None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            "--device",
            "-d",
            metavar="D[=MS]",
            help="Name or id; with a target of its own, and more than once, for several devices.",
        ),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option("--space", "-s", metavar="SPACE", help="By name, or a file of your own."),
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="PATH", help="A data set by name, or a folder on the server.")
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="N|FILE", help="So many of the data's classes, or those a file lists."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", metavar="FILE", help="Job file: .json, .toml, or .yaml with PyYAML."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check the request and tell what it would do.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--watch", "--wait", help="Follow the search to its end.")
    ] = False,
    json: JsonOption = False,
    **options: Any,
) -> None:
    """Queue a search; prints its id. Options win over the job file, whose keys are named alike.

    docs/reference/search-options.md lists the options with their values by preset.

    Example: edgenas search submit -d pixel -s fbnet-tiny --data digits --target-ms 0.5 --watch

    Example: edgenas search submit -d pixel=20 -d raspi4=35 -s fbnet-cifar --data cifar --max-macs 60M

    Example: edgenas search submit -d pixel -s fbnet-224:classes=100 --data imagenet --preset fbnet-paper

    Example: edgenas search submit -f job.toml --seed 1 --dry-run
    """
    options = without_older(SearchCreate, options)
    for name, option in options_of(SearchCreate).items():
        if option.is_count and options[name] is not None:
            options[name] = number(option.flag, options[name])
    if options["snapshot"] is not None:
        options["snapshot"] = whole_id(client, options["snapshot"], "table")
    given = {
        **options,
        **device_options(device or [], options["target_ms"]),
        **class_options(classes),
        "space": space,
        "data": data,
    }
    request = search_request(read_job_file(file) if file else {}, given, conditions)
    if dry_run:
        _print_dry_run(client.try_search(request), json)
        return
    search = client.start_search(request)
    if follow:
        err.print(f"search {search.job.job_id}", markup=False)
        watch(client, search, json)
    elif json:
        print_json(search)
    else:
        out.print(search.job.job_id, markup=False)
        err.print(f"follow it with: edgenas search watch {search.job.job_id}", markup=False)


def _print_dry_run(plan: SearchDryRun, json: bool) -> None:
    if json:
        print_json(plan)
        return
    tables = ", ".join((plan.snapshot, *plan.other_snapshots))
    out.print(
        f"would search {plan.request.space} on {plan.request.device} by table {tables}, whose networks "
        f"take {milliseconds(plan.fastest_us)} to {milliseconds(plan.slowest_us)} ms; nothing was queued",
        markup=False,
        soft_wrap=True,
    )
