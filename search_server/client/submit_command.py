"""``edgenas search submit``: a request from a job file, from options, or from both."""

from pathlib import Path
from typing import Annotated

import typer

from search_server.client.commands import JsonOption, command, err, out, print_json
from search_server.client.job_file import read_job_file, search_request
from search_server.client.search_client import SearchClient
from search_server.client.search_commands import watch
from search_server.client.search_options import class_options, device_options, number
from search_server.resources.search_presets import PresetName
from search_server.resources.searches import LatencyUnit
from search_server.search_options import CombineName, LossName, PathsName, TrainingName, WeightsName
from shared.protocol.device import Conditions


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
    preset: Annotated[
        PresetName | None,
        typer.Option(
            help="Defaults of the options below. small-budget: loss budget, paths one, weights entangled, "
            "20 epochs (4 of warm-up), batches of 64 in steps of 16. fbnet-paper: loss fbnet, paths "
            "soft, weights separate, 90 epochs (10), batches of 192, and the paper's rates and temperature."
        ),
    ] = None,
    loss: Annotated[
        LossName | None,
        typer.Option(
            help="budget holds the target; fbnet is the paper's, CE * alpha * log(LAT)^beta; additive is "
            "CE + latency-weight * log(LAT)."
        ),
    ] = None,
    alpha: Annotated[float | None, typer.Option(metavar="A", help="Of loss fbnet (0.2).")] = None,
    beta: Annotated[float | None, typer.Option(metavar="B", help="Of loss fbnet (0.6).")] = None,
    latency_unit: Annotated[
        LatencyUnit | None, typer.Option(help="Of LAT in loss fbnet (us); it bears on the result.")
    ] = None,
    latency_weight: Annotated[
        float | None, typer.Option(metavar="W", help="Of loss additive (0.1).")
    ] = None,
    paths: Annotated[
        PathsName | None, typer.Option(help="Candidates that run in a step: all weighted, one, two.")
    ] = None,
    weights: Annotated[
        WeightsName | None, typer.Option(help="One super-kernel a layer, or each candidate its own.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Epochs of the search.")] = None,
    warmup_epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Epochs that train weights only.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(metavar="N", help="Images of a batch.")] = None,
    step_images: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Of a batch, in a step of weights: few for few images, all on a GPU."
        ),
    ] = None,
    training: Annotated[
        TrainingName | None,
        typer.Option(
            help="Of the networks that are compared: fresh weights, or the supernet's, fine-tuned."
        ),
    ] = None,
    train_epochs: Annotated[int | None, typer.Option(metavar="N", help="Epochs of that training.")] = None,
    mixed_precision: Annotated[
        bool | None,
        typer.Option("--mixed-precision/--fp32", help="bf16 forward passes; for accelerators."),
    ] = None,
    recomputes_branches: Annotated[
        bool | None,
        typer.Option("--recompute/--no-recompute", help="Less memory for more time, with paths soft."),
    ] = None,
    num_samples: Annotated[
        int | None, typer.Option(metavar="N", help="Networks tried out and measured.")
    ] = None,
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

    Example: edgenas search submit -d pixel -s fbnet-224:classes=100 --data imagenet --preset fbnet-paper

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
        "preset": preset,
        "loss": loss,
        "alpha": alpha,
        "beta": beta,
        "latency_unit": latency_unit,
        "latency_weight": latency_weight,
        "paths": paths,
        "weights": weights,
        "epochs": epochs,
        "warmup_epochs": warmup_epochs,
        "batch_size": batch_size,
        "step_images": step_images,
        "training": training,
        "train_epochs": train_epochs,
        "mixed_precision": mixed_precision,
        "recomputes_branches": recomputes_branches,
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
