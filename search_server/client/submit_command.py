"""``edgenas search submit``: a request from a job file, from options, or from both."""

from pathlib import Path
from typing import Annotated

import typer

from search_server.client.commands import JsonOption, command, err, out, print_json
from search_server.client.job_file import read_job_file, search_request
from search_server.client.search_client import SearchClient
from search_server.client.search_commands import watch
from search_server.client.search_options import class_options, device_options, number
from search_server.resources.searches import CombineName, LossName, PathsName
from shared.device import Conditions


def add_command(app: typer.Typer) -> None:
    """Add ``submit`` to the searches."""
    command(app, "submit")(submit)


def submit(
    client: SearchClient,
    conditions: Conditions,
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
    target_ms: Annotated[float | None, typer.Option(metavar="T", help="Latency to stay within.")] = None,
    latency_sigmas: Annotated[
        float | None, typer.Option(metavar="K", help="Add so many standard errors to each latency.")
    ] = None,
    combine: Annotated[
        CombineName | None, typer.Option(help="Of several devices: each in its target, or their mean.")
    ] = None,
    max_macs: Annotated[
        str | None, typer.Option(metavar="N", help="Most multiply-accumulates, such as 60M.")
    ] = None,
    max_params: Annotated[
        str | None, typer.Option(metavar="N", help="Most parameters, such as 2M.")
    ] = None,
    loss: Annotated[
        LossName | None, typer.Option(help="budget holds the target; fbnet is the paper's.")
    ] = None,
    paths: Annotated[PathsName | None, typer.Option(help="Candidates that run in a step.")] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Epochs of the search.")] = None,
    warmup_epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Epochs that train weights only.")
    ] = None,
    train_epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Epochs of the final training.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(metavar="N")] = None,
    num_samples: Annotated[int | None, typer.Option(metavar="N", help="Networks drawn and ranked.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N")] = None,
    snapshot: Annotated[str | None, typer.Option(metavar="HASH", help="Latency table to use.")] = None,
    compare_baselines: Annotated[bool | None, typer.Option("--baselines/--no-baselines")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", metavar="FILE", help="Job file: .json, .toml, or .yaml with PyYAML."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--watch", "--wait", help="Follow the search to its end.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Queue a search; prints its id. Options win over the job file, whose keys are named alike.

    Example: edgenas search submit -d pixel -s fbnet-tiny --data digits --target-ms 0.5 --watch

    Example: edgenas search submit -d pixel=20 -d raspi4=35 -s fbnet-cifar --data cifar --max-macs 60M

    Example: edgenas search submit -f job.toml --seed 1
    """
    given = {
        **device_options(device or [], target_ms),
        **class_options(classes),
        "space": space,
        "data": data,
        "latency_sigmas": latency_sigmas,
        "combine": combine,
        "max_macs": None if max_macs is None else number("--max-macs", max_macs),
        "max_params": None if max_params is None else number("--max-params", max_params),
        "loss": loss,
        "paths": paths,
        "epochs": epochs,
        "warmup_epochs": warmup_epochs,
        "train_epochs": train_epochs,
        "batch_size": batch_size,
        "num_samples": num_samples,
        "seed": seed,
        "snapshot": snapshot,
        "compare_baselines": compare_baselines,
    }
    request = search_request(read_job_file(file) if file else {}, given, conditions)
    search = client.start_search(request)
    if follow:
        err.print(f"search {search.job.job_id}", markup=False)
        watch(client, search, json)
    elif json:
        print_json(search)
    else:
        out.print(search.job.job_id, markup=False)
        err.print(f"follow it with: edgenas search watch {search.job.job_id}", markup=False)
