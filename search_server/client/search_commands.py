"""``edgenas search``: submit, watch and collect searches."""

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
    print_json,
    write_file,
)
from search_server.client.grid import grid
from search_server.client.hub_folder import push_hub, unpack_hub
from search_server.client.job_progress import job_progress, require_done
from search_server.client.search_client import SearchClient
from search_server.client.search_view import kind_words, print_search, step_line, warning_lines
from search_server.client.short_ids import ShortId
from search_server.client.show import milliseconds, owner_words, share
from search_server.resources.formats import ExportFormat
from search_server.resources.searches import Search, SearchStep
from search_server.search_options import DeliverName

app = typer.Typer(no_args_is_help=True, help="Searches for networks within a latency on a device.")

_FORMAT_OF_SUFFIX: dict[str, ExportFormat] = {
    ".tflite": "tflite",
    ".zip": "ncnn",
    ".pt": "torch",
    ".py": "python",
    ".json": "json",
}

JobArgument = Annotated[
    str, typer.Argument(metavar="J", help="Id of a search, a part of it, or a name."), ShortId("search")
]


@command(app, "list")
def list_searches(client: SearchClient, mine: MineOption = False, json: JsonOption = False) -> None:
    """List searches, newest first.

    Example: edgenas search list
    """
    searches = list(client.searches("me" if mine else None))
    if json:
        print_json(searches)
        return
    table = grid(
        "id",
        "name",
        "kind",
        "status",
        ">done",
        "device",
        "space",
        ">target ms",
        ">result ms",
        ">accuracy",
        "owner",
    )
    for search in searches:
        job, result, target_ms = search.job, search.result, search.request.target_ms
        table.add_row(
            job.job_id,
            job.name or "-",
            kind_words(search.request),
            job.status,
            f"{100 * job.progress:.0f} %",
            job.device_name,
            job.space,
            milliseconds(target_ms * 1000 if target_ms else None),
            milliseconds(result.measured_us or result.predicted_us if result else None),
            share(result.test_accuracy if result else None),
            owner_words(job.owner, job.is_private),
        )
    out.print(table)


@command(app, "show")
def show_search(job: JobArgument, client: SearchClient, json: JsonOption = False) -> None:
    """Show what a search was asked, where it is and what it found.

    Example: edgenas search show JOB
    """
    search = client.search(job)
    if json:
        print_json(search)
    else:
        print_search(search)


@command(app, "watch")
def watch_search(job: JobArgument, client: SearchClient, json: JsonOption = False) -> None:
    """Follow a search until it ends: a line an epoch on stderr, then the result.

    Example: edgenas search watch JOB
    """
    watch(client, client.search(job), json)


@command(app, "cancel")
def cancel_search(job: JobArgument, client: SearchClient) -> None:
    """Stop a search; what it has learnt is kept, and resume goes on from there.

    Example: edgenas search cancel JOB
    """
    search = client.cancel_search(job)
    err.print(f"search {search.job.job_id}: {search.job.status}", markup=False)


@command(app, "resume")
def resume_search(job: JobArgument, client: SearchClient) -> None:
    """Queue a failed or cancelled search again, from its last checkpoint.

    Example: edgenas search resume JOB
    """
    search = client.resume_search(job)
    err.print(f"search {search.job.job_id}: {search.job.status}", markup=False)


@command(app, "export")
def export_search(
    job: JobArgument,
    client: SearchClient,
    search_format: Annotated[
        ExportFormat | None,
        typer.Option(
            "--format",
            help="A trained network, or the search as JSON. Left out: what the file's name ends with, "
            "else onnx.",
            show_default=False,
        ),
    ] = None,
    dtype: Annotated[
        DeliverName, typer.Option(help="int8: the quantised ONNX file of a search with --deliver int8.")
    ] = "fp32",
    output: OutputOption = None,
    hub_folder: Annotated[
        Path | None,
        typer.Option(
            "--to-hub-folder",
            metavar="DIR",
            help="Write all files and a model card, laid out as a repository of the Hugging Face hub.",
            show_default=False,
        ),
    ] = None,
    push: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER/NAME",
            help="Send that folder to the hub, as a private repository; needs huggingface_hub.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write the network that a search delivers; docs/exports.md says how to feed each format.

    onnx, tflite; ncnn: a zip archive; torch: weights; python: a file that rebuilds the network with them;
    hub: a zip archive with all of them and a model card.

    Example: edgenas search export JOB -o network.onnx

    Example: edgenas search export JOB --format json

    Example: edgenas search export JOB --to-hub-folder flowers --push me/flowers
    """
    if hub_folder is not None:
        if output is not None or search_format is not None or dtype != "fp32":
            raise ValueError("--to-hub-folder writes all files; leave out -o, --format and --dtype")
        places = unpack_hub(client.export_search(job, "hub"), hub_folder)
        err.print(f"wrote {len(places)} files to {escape(str(hub_folder))}", soft_wrap=True)
        if push is not None:
            out.print(push_hub(hub_folder, push), markup=False)
        return
    if push is not None:
        raise ValueError("--push sends a folder; name one with --to-hub-folder")
    suffix = output.suffix.lower() if output is not None else ""
    wanted = search_format or _FORMAT_OF_SUFFIX.get(suffix, "onnx")
    if wanted not in ("json", "python") and output is None:
        raise ValueError(
            f"a model of format {wanted} is binary; name a file with -o FILE, or take --format json "
            "to read what was found"
        )
    write_file(client.export_search(job, wanted, dtype), output)


def watch(client: SearchClient, search: Search, as_json: bool) -> None:
    """Follow a search until it ends and print what it found.

    Raises:
        JobFailedError: the search failed or was cancelled.
    """
    job_id = search.job.job_id
    farewell = f"stopped watching; search {job_id} goes on, stop it with: edgenas search cancel {job_id}"
    with job_progress(lambda: None, farewell) as progress:
        for event in client.search_events(job_id):
            if isinstance(event, SearchStep):
                for line in (step_line(event, search.request.epochs), *warning_lines(event)):
                    progress.note(line)
            else:
                search = event
                progress.update(search.job, search.stage)
    if as_json:
        print_json(search)
    else:
        print_search(search)
    require_done(search.job)
