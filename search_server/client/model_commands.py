"""``edgenas model``: files of one's own, in ONNX or TensorFlow Lite."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from search_server.client.commands import (
    JsonOption,
    MineOption,
    OutputOption,
    command,
    err,
    out,
    print_facts,
    print_json,
    write_file,
)
from search_server.client.grid import grid
from search_server.client.model_measure_command import ModelArgument, TopOption, print_latency
from search_server.client.model_view import (
    comparison_facts,
    differences_grid,
    model_facts,
    node_differences_grid,
)
from search_server.client.search_client import SearchClient
from search_server.client.short_ids import ShortId
from search_server.client.show import age, count
from search_server.resources.formats import TableFormat
from search_server.resources.models import Model, ModelMeasurement

app = typer.Typer(no_args_is_help=True, help="Models of your own: times of the whole and of each node.")


@command(app, "add")
def add_model(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An .onnx or .tflite file.")],
    client: SearchClient,
    name: Annotated[
        str | None, typer.Option("--name", help="Left out: the file's name.", show_default=False)
    ] = None,
    json: JsonOption = False,
) -> None:
    """Send a model file to the server, which checks it without running it and keeps it by its hash.

    A file that needs other files, or custom operators, is refused. An upload that was cut off goes on
    where it stopped.

    Example: edgenas model add mobilenet.onnx
    """
    model = client.upload_model(file, name)
    if json:
        print_json(model)
        return
    print_facts(model_facts(model))
    err.print(f"measure it with: edgenas model measure {escape(model.name)} -d DEVICE", soft_wrap=True)


@command(app, "list")
def list_models(client: SearchClient, mine: MineOption = False, json: JsonOption = False) -> None:
    """List the models that were added.

    Example: edgenas model list
    """
    models = list(client.models("me" if mine else None))
    if json:
        print_json(models)
        return
    if not models and not mine:
        err.print("No model has been added yet; add one with: edgenas model add FILE")
        return
    table = grid("name", "format", "dtype", ">nodes", ">parameters", ">bytes", "added", "owner", "id")
    now = datetime.now(UTC)
    for model in models:
        facts = model.facts
        table.add_row(
            model.name,
            model.format,
            facts.dtype,
            f"{facts.num_nodes:,}",
            count(facts.num_params),
            f"{model.size_bytes:,}",
            age(model.created_at, now),
            model.owner,
            model.model_id,
        )
    out.print(table)


@command(app, "remove")
def remove_model(model: ModelArgument, client: SearchClient) -> None:
    """Remove a model and its file from the server; its measurements stay.

    Example: edgenas model remove mobilenet
    """
    found = client.model(model)
    client.remove_model(found.model_id)
    err.print(f"removed model {escape(found.name)}")


@command(app, "show")
def show_model(
    model: ModelArgument,
    client: SearchClient,
    job: Annotated[
        str | None,
        typer.Option(
            "--job", metavar="JOB", help="A measurement; left out: the newest.", show_default=False
        ),
        ShortId("job"),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", "-d", metavar="D", help="The newest on this device.", show_default=False),
    ] = None,
    top: TopOption = 10,
    json: JsonOption = False,
) -> None:
    """Show what a model is, and what its newest measurement says of the whole, of operators and nodes.

    Example: edgenas model show mobilenet
    """
    found = client.model(model)
    measured = _measurement(client, found, job, device)
    if json:
        print_json({"model": found, "measurement": measured})
        return
    print_facts(model_facts(found))
    if measured is None:
        err.print(f"not measured yet: edgenas model measure {escape(found.name)} -d DEVICE", soft_wrap=True)
        return
    out.print()
    print_latency(measured, top)


@command(app, "compare")
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="Name or id of a model."), ShortId("model")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another one, or the same."), ShortId("model")],
    client: SearchClient,
    devices: Annotated[
        list[str] | None,
        typer.Option("--device", "-d", metavar="D", help="For both; given twice, one for each."),
    ] = None,
    top: Annotated[int, typer.Option("--top", metavar="N", help="So many of the nodes.")] = 10,
    json: JsonOption = False,
) -> None:
    """Compare the newest measurements of two models on a device, or of one model on two devices.

    Example: edgenas model compare mobilenet mobilenet -d pixel -d raspi
    """
    wanted: list[str | None] = list(devices) if devices else [None]
    jobs = []
    for name, device in ((first, wanted[0]), (second, wanted[-1])):
        measured = _measurement(client, client.model(name), None, device)
        if measured is None:
            where = f" on {device}" if device else ""
            raise ValueError(f"model {name} was not measured{where}; 'edgenas model measure' does that")
        jobs.append(measured.job.job_id)
    found = client.compare_models(*jobs)
    if json:
        print_json(found)
        return
    print_facts(comparison_facts(found))
    out.print(differences_grid(found))
    if found.nodes:
        out.print(node_differences_grid(found.nodes[:top]))


@command(app, "export")
def export(
    model: ModelArgument,
    client: SearchClient,
    output: OutputOption = None,
    job: Annotated[
        str | None,
        typer.Option(
            "--job", metavar="JOB", help="A measurement; left out: the newest.", show_default=False
        ),
        ShortId("job"),
    ] = None,
    table_format: Annotated[TableFormat, typer.Option("--format", help="Of the file.")] = "csv",
) -> None:
    """Write the nodes of a model's newest measurement to a file, a row each.

    Example: edgenas model export mobilenet --format parquet -o nodes.parquet
    """
    found = client.model(model)
    measured = _measurement(client, found, job, None)
    if measured is None:
        raise ValueError(f"model {found.name} was not measured; 'edgenas model measure' does that")
    content = client.export_model_measurement(found.model_id, measured.job.job_id, table_format)
    write_file(content, output)


def _measurement(
    client: SearchClient, model: Model, job: str | None, device: str | None
) -> ModelMeasurement | None:
    """Return a measurement with its nodes: the one that is named, or the newest that ended well."""
    if job is not None:
        return client.model_measurement(model.model_id, job)
    device_id = client.device(device).device_id if device else None
    done = (
        each.job.job_id
        for each in client.model_measurements(model.model_id)
        if each.latency is not None and device_id in (None, each.job.device_id)
    )
    job_id = next(done, None)
    return client.model_measurement(model.model_id, job_id) if job_id else None
