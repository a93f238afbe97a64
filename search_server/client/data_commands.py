"""``edgenas data``: what a server knows by name, and what a search would meet in a folder."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from search_server.client.commands import (
    EXIT_FAILED,
    JsonOption,
    SpaceOption,
    command,
    out,
    print_json,
)
from search_server.client.grid import grid
from search_server.client.search_client import SearchClient
from search_server.client.show import count, facts
from shared.space_file import read_space

app = typer.Typer(no_args_is_help=True, help="Data sets for searches.")

_MOST_CLASSES = 20
_MOST_SIZES = 5


@command(app, "list")
def list_data(client: SearchClient, json: JsonOption = False) -> None:
    """List the data sets that the server knows by name, and where a folder of your own goes.

    Example: edgenas data list
    """
    data_sets = client.data_sets()
    if json:
        print_json(data_sets)
        return
    table = grid("name", "state", ">images", ">classes", "hint")
    for data in data_sets:
        state = Text("ready", style="green") if data.is_available else Text("missing", style="yellow")
        table.add_row(data.name, state, count(data.num_images), count(data.num_classes), data.hint)
    out.print(table)
    out.print(
        "A folder of your own: one folder of images a class, on the server; "
        "name its path with --data PATH.",
        soft_wrap=True,
    )


@command(app, "check")
def check(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="Folder of images, or a name, as a search takes it.")
    ],
    space: SpaceOption,
    json: JsonOption = False,
) -> None:
    """Look at every image of a data set on this machine, and say what a search would make of it.

    Ends with status 1 if a search would refuse the data.

    Example: edgenas data check photos -s fbnet-224:classes=5
    """
    try:
        reports = import_module("search_server.nas.data.data_report")
    except ModuleNotFoundError as error:
        raise OSError(
            f"reading images needs the package {error.name!r}; install it with "
            "pip install torch scikit-learn pillow pyarrow"
        ) from None
    known = read_space(space)
    report = reports.report_on(path, known)
    if json:
        print_json(report)
    else:
        _show(report, known.num_classes)
    if report.problems:
        raise typer.Exit(EXIT_FAILED)


def _show(report: Any, num_space_classes: int) -> None:
    table = grid("class", ">train", ">test")
    for each in report.classes[:_MOST_CLASSES]:
        table.add_row(Text(each.name), count(each.num_train), count(each.num_test))
    out.print(table)
    if len(report.classes) > _MOST_CLASSES:
        out.print(f"... and {len(report.classes) - _MOST_CLASSES} more classes")
    smallest = min(report.classes, key=lambda each: each.num_train)
    test = f", {count(report.num_test)} for testing" if report.num_test else ""
    out.print(
        facts(
            {
                "data": Text(
                    str(Path(report.data).resolve() if Path(report.data).exists() else report.data)
                ),
                "classes": f"{len(report.classes)}; the space tells {num_space_classes} apart",
                "images": f"{count(report.num_train)} for training{test}",
                "fewest": Text(f"{count(smallest.num_train)} for training, class {smallest.name}"),
                "sizes": _most_frequent(report.sizes),
                "modes": _most_frequent(report.modes),
                "notes": _listed(report.notes, ""),
                "a search": _listed(report.rules, ""),
                "warnings": _listed(report.warnings, "yellow"),
                "problems": _listed(report.problems, "red"),
            }
        )
    )


def _most_frequent(counts: dict[str, int]) -> str:
    shown = ", ".join(f"{name} ({count(num)})" for name, num in list(counts.items())[:_MOST_SIZES])
    more = len(counts) - _MOST_SIZES
    return f"{shown}{f', and {more} others' if more > 0 else ''}" or "unknown"


def _listed(sentences: tuple[str, ...], style: str) -> Text:
    if not sentences:
        return Text("none")
    return Text("\n".join(f"- {sentence}" for sentence in sentences), style=style)
