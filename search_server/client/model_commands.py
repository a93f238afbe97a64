"""``edgenas model``: files of one's own, in ONNX or TensorFlow Lite."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from search_server.client.commands import JsonOption, command, err, out, print_facts, print_json
from search_server.client.search_client import SearchClient
from search_server.client.show import age, count, grid
from search_server.resources.models import Model, ModelTensor

app = typer.Typer(no_args_is_help=True, help="Models of your own: times of the whole and of each node.")

ModelArgument = Annotated[str, typer.Argument(metavar="M", help="Name or id of a model.")]


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
    print_facts(_facts(model))
    err.print(f"measure it with: edgenas model measure {escape(model.name)} -d DEVICE", soft_wrap=True)


@command(app, "list")
def list_models(client: SearchClient, json: JsonOption = False) -> None:
    """List the models that were added.

    Example: edgenas model list
    """
    models = list(client.models())
    if json:
        print_json(models)
        return
    if not models:
        err.print("No model has been added yet; add one with: edgenas model add FILE")
        return
    table = grid("name", "format", "dtype", ">nodes", ">parameters", ">bytes", "added", "id")
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
def show_model(model: ModelArgument, client: SearchClient, json: JsonOption = False) -> None:
    """Show what a model is.

    Example: edgenas model show mobilenet
    """
    found = client.model(model)
    if json:
        print_json(found)
        return
    print_facts(_facts(found))


def _facts(model: Model) -> dict[str, str]:
    facts = model.facts
    operators = [f"{entry.op_type} {entry.count}" for entry in facts.operators]
    rest = f" and {len(operators) - 8} more" if len(operators) > 8 else ""
    return {
        "name": model.name,
        "id": model.model_id,
        "file": f"{model.format}, {facts.version}, {model.size_bytes:,} bytes, {facts.dtype}",
        "sha256": model.sha256,
        "producer": facts.producer or "not told",
        "inputs": "; ".join(map(tensor_text, facts.inputs)) or "none",
        "outputs": "; ".join(map(tensor_text, facts.outputs)) or "none",
        "nodes": f"{facts.num_nodes:,}: {', '.join(operators[:8])}{rest}",
        "parameters": count(facts.num_params),
    }


def tensor_text(tensor: ModelTensor) -> str:
    """Return an input or output in one line; an open size is a question mark."""
    sizes = "x".join("?" if size is None else str(size) for size in tensor.shape) or "scalar"
    return f"{tensor.name} {tensor.dtype} {sizes}"
