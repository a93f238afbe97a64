"""``edgenas tables``: look at latency tables, compare them, move them between programs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from search_server.client import check_commands
from search_server.client.check_commands import SnapshotArgument
from search_server.client.commands import (
    JsonOption,
    MineOption,
    OutputOption,
    PrivateOption,
    command,
    err,
    out,
    print_facts,
    print_json,
    write_file,
)
from search_server.client.grid import grid
from search_server.client.heat_map import heat_map, ratio_map
from search_server.client.search_client import SearchClient
from search_server.client.short_ids import ShortId
from search_server.client.show import age, owner_words
from search_server.client.table_view import (
    chain,
    diff_facts,
    history_grid,
    network_diffs_grid,
    networks_grid,
    standing,
    summary_facts,
)
from search_server.resources.formats import ImportFormat, TableFormat
from search_server.resources.latencies import Measurement
from shared.protocol.device import Conditions
from shared.space_file import read_space

app = typer.Typer(no_args_is_help=True, help="Latency tables: immutable snapshots, named by their hash.")

FileFormat = Literal[ImportFormat, "whole-network-csv"]

SpaceFilter = Annotated[
    str | None,
    typer.Option("--space", "-s", metavar="SPACE", help="Only this space.", show_default=False),
]
check_commands.add_commands(app)


@command(app, "list")
def list_tables(
    client: SearchClient,
    device: Annotated[
        str | None, typer.Option("--device", "-d", metavar="D", help="Only this device.")
    ] = None,
    space: SpaceFilter = None,
    runtime: Annotated[str | None, typer.Option(metavar="R", help="Only this runtime.")] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Tell how each table came to be, and what changed.")
    ] = False,
    mine: MineOption = False,
    json: JsonOption = False,
) -> None:
    """List latency tables, newest first.

    Example: edgenas tables list -d pixel -s fbnet-224 --history
    """
    space_name = read_space(space).name if space else None
    tables = list(client.tables(device, space_name, runtime, "me" if mine else None))
    if json:
        print_json(tables)
        return
    if history:
        out.print(history_grid(tables))
        return
    grid_of_tables = grid(
        "snapshot", "device", "space", "conditions", ">entries", "verdict", "created", "owner"
    )
    now = datetime.now(UTC)
    for table in tables:
        grid_of_tables.add_row(
            table.snapshot,
            table.device_name,
            table.space,
            f"{table.conditions}{' (simulated)' if table.is_simulated else ''}",
            f"{table.num_measured}/{table.num_entries}",
            standing(table),
            age(table.created_at, now),
            owner_words(table.owner, table.is_private),
        )
    out.print(grid_of_tables)


@command(app, "show")
def show_table(snapshot: SnapshotArgument, client: SearchClient, json: JsonOption = False) -> None:
    """Show a table as a heat map: layers down, candidate blocks across, milliseconds.

    Example: edgenas tables show 3f2a9c01d4e5b678
    """
    table = client.table(snapshot)
    if json:
        print_json(table)
        return
    print_facts(summary_facts(table.summary))
    out.print()
    out.print(heat_map(table.cells))
    out.print("? not measured   * not stable   0 costs nothing", style="dim")
    relatives = client.tables(table.summary.device_id, table.summary.space)
    out.print(history_grid(chain(table.summary, relatives)))


@command(app, "diff")
def diff_tables(
    before: Annotated[str, typer.Argument(metavar="A", help="Hash of a table."), ShortId("table")],
    after: Annotated[str, typer.Argument(metavar="B", help="Hash of another table."), ShortId("table")],
    client: SearchClient,
    json: JsonOption = False,
) -> None:
    """Compare two tables of one space entry by entry, and what they predict of the known networks.

    Example: edgenas tables diff 3f2a9c01d4e5b678 77aa01c2d3e4f567
    """
    diff = client.table_diff(before, after)
    if json:
        print_json(diff)
        return
    print_facts(diff_facts(diff))
    out.print()
    out.print(ratio_map(diff.cells))
    out.print("B over A; ^ and v: the candidate's rank in its layer rose or fell", style="dim")
    if diff.networks:
        out.print(network_diffs_grid(diff))


@command(app, "networks")
def known_networks(snapshot: SnapshotArgument, client: SearchClient, json: JsonOption = False) -> None:
    """Predict the networks that have a name: published ones that fit, and one block in every layer.

    All have the stem and the head of the table's space.

    Example: edgenas tables networks 3f2a9c01d4e5b678
    """
    networks = client.table_networks(snapshot)
    if json:
        print_json(networks)
        return
    out.print(networks_grid(networks))


@command(app, "export")
def export_table(
    snapshot: SnapshotArgument,
    client: SearchClient,
    table_format: Annotated[TableFormat, typer.Option("--format", help="Format of the file.")] = "csv",
    output: OutputOption = None,
) -> None:
    """Write a table to a file, or to stdout; import takes it back, from CSV without its verdict.

    Example: edgenas tables export 3f2a9c01d4e5b678 --format csv -o table.csv
    """
    write_file(client.export_table(snapshot, table_format), output)


@command(app, "import")
def import_table(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File that another program wrote.")],
    client: SearchClient,
    table_format: Annotated[FileFormat, typer.Option("--format", help="Format of the file.")],
    device: Annotated[
        str,
        typer.Option(
            "--device", "-d", metavar="D", help="Name or id; a new name adds a device without an agent."
        ),
    ],
    space: Annotated[
        str | None,
        typer.Option(
            "--space", "-s", metavar="SPACE", help="The space to fill, where the file does not tell it."
        ),
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(metavar="R", help="What ran, where the file does not tell it, such as openvino."),
    ] = None,
    threads: Annotated[int, typer.Option(metavar="N", help="On so many threads.")] = 1,
    dtype: Annotated[str, typer.Option(metavar="T", help="In this number format, such as fp16.")] = "fp32",
    batch: Annotated[int, typer.Option(metavar="N", help="Images a run.")] = 1,
    accelerator: Annotated[
        str, typer.Option(metavar="LABEL", help="What computed, such as 'Adreno 640'; left out: the CPU.")
    ] = "",
    private: PrivateOption = False,
    json: JsonOption = False,
) -> None:
    """Store a table that another program measured, for a device that need not be enrolled.

    Whole networks (columns architecture, latency_ms, perhaps device) become measurements, not a table.

    Format plain-csv is what one writes by hand: columns layer, block, latency_ms, and perhaps sigma_ms and
    num_samples; stem and head with an empty block; lines with # are comments.

    Example: edgenas tables import cells.csv --format plain-csv -d phone -s fbnet-tiny --runtime openvino
    """
    name = read_space(space).name if space else None
    conditions = Conditions(runtime or "other", threads, dtype, batch, accelerator=accelerator)
    if runtime is None and conditions != Conditions("other"):
        raise ValueError(f"{conditions} needs a runtime too; name what ran with --runtime")
    told = conditions if runtime else None
    if table_format == "whole-network-csv":
        if name is None:
            raise ValueError("whole networks need a space; name it with -s, such as -s fbnet-224")
        measurement = client.import_measurements(file.read_bytes(), device, name, told, private)
        _print_measurement(measurement, json)
        return
    table = client.import_table(file.read_bytes(), table_format, device, name, told, private)
    if json:
        print_json(table)
        return
    print_facts(summary_facts(table.summary))
    err.print(f"see it with: edgenas tables show {table.summary.snapshot}", markup=False)


def _print_measurement(measurement: Measurement, json: bool) -> None:
    if json:
        print_json(measurement)
        return
    job = measurement.job
    print_facts(
        {
            "measurement": job.job_id,
            "device": job.device_name,
            "space": job.space,
            "conditions": str(job.conditions),
            "networks": f"{len(measurement.latencies)}, {job.message}",
        }
    )
