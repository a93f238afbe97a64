"""``edgenas samples``: everything that was measured for a job, run by run, as a file."""

from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.markup import escape

from search_server.client.cell_view import spread_facts, spreads_grid, windows_grid
from search_server.client.check_commands import SnapshotArgument
from search_server.client.commands import JsonOption, command, err, out, print_facts, print_json
from search_server.client.search_client import SearchClient
from search_server.client.short_ids import ShortId
from search_server.resources.formats import SampleFormat

app = typer.Typer(no_args_is_help=True, help="Samples: every run that a device measured.")


@command(app, "cell")
def show_cell(
    snapshot: SnapshotArgument,
    layer: Annotated[str, typer.Argument(metavar="LAYER", help="stem, layer01 ..., head.")],
    client: SearchClient,
    block: Annotated[
        str, typer.Argument(metavar="BLOCK", help="Candidate, such as k3_e6; none for stem and head.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Show what was measured of one cell of a table: its times, and how the device was, window by window.

    Times are as the runtime's profiler gave them; the table's entry also follows from whole networks.

    Example: edgenas samples cell 3f2a9c01d4e5b678 layer06 k5_e6
    """
    samples = client.cell_samples(snapshot, layer, block)
    if json:
        print_json(samples)
        return
    print_facts(spread_facts(samples))
    out.print(windows_grid(samples.windows))


@command(app, "cells")
def show_cells(snapshot: SnapshotArgument, client: SearchClient, json: JsonOption = False) -> None:
    """Show how the samples of every cell of a table lie: median, minimum, percentiles, variation.

    Times are as the runtime's profiler gave them; 'edgenas tables show' has the table's own entries.

    Example: edgenas samples cells 3f2a9c01d4e5b678
    """
    spreads = client.cell_spreads(snapshot)
    if json:
        print_json(spreads)
        return
    out.print(spreads_grid(spreads))


@command(app, "export")
def export_samples(
    job: Annotated[
        str,
        typer.Argument(metavar="JOB", help="Id of a profile, measurement or check, or a part of it."),
        ShortId("job"),
    ],
    client: SearchClient,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="File to write.", show_default=False)
    ],
    sample_format: Annotated[
        SampleFormat | None,
        typer.Option("--format", help="Left out: what the file's name ends with.", show_default=False),
    ] = None,
) -> None:
    """Write every run of every network that was measured for a job, and the times of their nodes.

    One row a run; the file is enough to fit the job's latency table again.

    Example: edgenas samples export job_0006534f2c1a9e4b1f0c22 -o samples.parquet
    """
    wanted = sample_format or _format_of(output)
    if output.exists():
        raise ValueError(f"{output} exists already; name another file, or remove it first")
    num_done = sum(lease.status == "done" for lease in client.leases(job))
    part_file = output.with_name(f".{output.name}.part")
    try:
        with err.status("") as status, part_file.open("wb") as file:
            for part in client.export_samples(job, wanted):
                file.write(part)
                status.update(f"{file.tell():,} bytes of {num_done} leases")
        part_file.rename(output)
    finally:
        part_file.unlink(missing_ok=True)
    size = f"{output.stat().st_size:,} bytes, the samples of {num_done} leases,"
    err.print(f"wrote {size} to {escape(str(output))}", soft_wrap=True)


def _format_of(path: Path) -> SampleFormat:
    """Return the format that a file's name ends with.

    Raises:
        ValueError: it ends with none.
    """
    formats: tuple[SampleFormat, ...] = get_args(SampleFormat)
    for known in formats:
        if path.suffix.lower() == f".{known}":
            return known
    raise ValueError(
        f"the name of {path} must end with {' or '.join(f'.{known}' for known in formats)}, or --format "
        "must say which of them it is"
    )
