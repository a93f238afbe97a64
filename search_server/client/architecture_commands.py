"""``edgenas architecture``: what a network is, without any server."""

from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer

from search_server.client.commands import JsonOption, command, out, print_facts, print_json, write_file
from search_server.client.grid import grid
from search_server.client.show import count
from shared.architecture import KNOWN_ARCHITECTURES, Architecture, parse_architecture
from shared.space_file import read_space

app = typer.Typer(no_args_is_help=True, help="What a network is; works without a server.")

ArchitectureArgument = Annotated[
    str,
    typer.Argument(
        metavar="A",
        help=f"A known name ({', '.join(KNOWN_ARCHITECTURES)}), blocks separated by commas, "
        "or one block for every layer.",
    ),
]
OptionalSpaceOption = Annotated[
    str | None,
    typer.Option(
        "--space",
        "-s",
        metavar="SPACE",
        help="Search space; a known name brings its own.",
        show_default=False,
    ),
]


@command(app, "show")
def show(
    architecture: ArchitectureArgument, space: OptionalSpaceOption = None, json: JsonOption = False
) -> None:
    """Show a network segment by segment: block, shapes, multiply-accumulates, parameters.

    Example: edgenas architecture show fbnet-a
    """
    network = _parse(architecture, space)
    segments = _segments(network)
    if json:
        print_json({**_totals(network), "segments": segments})
        return
    table = grid("segment", "block", "input", "output", ">MACs", ">params")
    for segment in segments:
        shapes = ("x".join(map(str, segment[end])) for end in ("input_shape", "output_shape"))
        table.add_row(
            segment["name"], segment["block"], *shapes, count(segment["macs"]), count(segment["params"])
        )
    out.print(table)
    _print_totals(network)


@command(app, "count")
def count_costs(
    architecture: ArchitectureArgument, space: OptionalSpaceOption = None, json: JsonOption = False
) -> None:
    """Count a network's multiply-accumulates and parameters, for one image.

    Example: edgenas architecture count fbnet-b --json
    """
    network = _parse(architecture, space)
    if json:
        print_json(_totals(network))
    else:
        _print_totals(network)


@command(app, "onnx")
def onnx(
    architecture: ArchitectureArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="File to write.")],
    space: OptionalSpaceOption = None,
) -> None:
    """Write a network as an ONNX model, for timing: its weights are constants, not trained.

    Example: edgenas architecture onnx k3_e6 -s fbnet-tiny -o network.onnx
    """
    network = _parse(architecture, space)
    try:
        artifacts = import_module("search_server.model_files.onnx_model")
    except ModuleNotFoundError as error:
        raise OSError(
            f"writing ONNX needs the package {error.name!r}; install it with pip install onnx numpy"
        ) from None
    write_file(artifacts.onnx_bytes(network.workload()), output)


def _parse(text: str, space: str | None) -> Architecture:
    return parse_architecture(text, read_space(space) if space else None)


def _totals(network: Architecture) -> dict[str, Any]:
    workload = network.workload()
    return {
        "architecture": str(network),
        "space": network.space.name,
        "macs": workload.macs,
        "params": workload.num_params,
        "num_layers": network.space.num_layers,
        "key": workload.key,
    }


def _print_totals(network: Architecture) -> None:
    totals = _totals(network)
    print_facts(
        {
            "space": f"{totals['space']}, {totals['num_layers']} layers",
            "MACs": f"{totals['macs']:,}  ({count(totals['macs'])})",
            "params": f"{totals['params']:,}  ({count(totals['params'])})",
            "blocks": totals["architecture"],
        }
    )


def _segments(network: Architecture) -> list[dict[str, Any]]:
    workload = network.workload()
    blocks = ("", *network.blocks, "")
    return [
        {
            "name": segment.name,
            "block": block,
            "input_shape": before,
            "output_shape": after,
            "macs": segment.macs(before),
            "params": segment.num_params,
        }
        for segment, block, (before, after) in zip(
            workload.segments, blocks, pairwise(workload.shapes()), strict=True
        )
    ]
