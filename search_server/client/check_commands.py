"""``edgenas tables check`` and ``recalibrate``: does a table still hold, and if not, what helps."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.markup import escape

from search_server.client.commands import (
    DevicesOption,
    JsonOption,
    PrivateOption,
    TagOption,
    command,
    err,
    print_facts,
    print_json,
)
from search_server.client.fleet import chosen_devices
from search_server.client.fleet_summaries import show_checks
from search_server.client.fleet_view import follow_on_each
from search_server.client.job_progress import Follow, follow, require_done
from search_server.client.search_client import SearchClient
from search_server.client.short_ids import ShortId
from search_server.client.show import milliseconds
from search_server.resources.checks import Drift, TableCheck
from search_server.resources.tables import TableSummary
from shared.space_file import read_space

CHECK_AFTER = timedelta(hours=24)
"""A table that was neither measured nor checked for so long is checked before it is used again."""

SnapshotArgument = Annotated[
    str, typer.Argument(metavar="SNAPSHOT", help="Hash of a table, or a part of it."), ShortId("table")
]


def add_commands(app: typer.Typer) -> None:
    """Add the two commands to ``edgenas tables``."""
    command(app, "check")(check)
    command(app, "recalibrate")(recalibrate)


def check(
    client: SearchClient,
    snapshot: Annotated[
        str | None,
        typer.Argument(metavar="[SNAPSHOT]", help="Hash of a table, or a part of it.", show_default=False),
        ShortId("table"),
    ] = None,
    device: DevicesOption = None,
    tag: TagOption = None,
    space: Annotated[
        str | None,
        typer.Option("--space", "-s", metavar="SPACE", help="With devices: only tables of this space."),
    ] = None,
    private: PrivateOption = False,
    json: JsonOption = False,
) -> None:
    """Compare a device with its table: anchor and three networks, some ten seconds of measuring.

    With devices instead of a hash: all tables that are in use on them, the devices at the same time.

    If only the level moved, a new snapshot is stored at the level of now. If networks moved against the
    anchor, the table is stale: it is kept, but no longer used, and has to be measured again.

    Example: edgenas tables check 3f2a9c01d4e5b678

    Example: edgenas tables check --tag kitchen -s fbnet-tiny
    """
    if (snapshot is None) == (not device and tag is None):
        raise ValueError("name the hash of a table, or devices with -d or --tag")
    if snapshot is None:
        tables = _tables_in_use(client, chosen_devices(client, device or (), tag), space)
        checks = follow_on_each(
            tables, lambda table, watch: _checked(client, tables[table], watch, private)
        )
        show_checks(checks, json)
        return
    done = follow_check(client, snapshot, follow, private)
    if json:
        print_json(done)
    elif done.drift is not None:
        print_facts(_drift_facts(done.drift))
        err.print(escape(done.job.message), soft_wrap=True)
    require_done(done.job)


def recalibrate(
    snapshot: SnapshotArgument,
    client: SearchClient,
    private: PrivateOption = False,
    json: JsonOption = False,
) -> None:
    """Multiply all entries by the one factor that measured networks ask for, as a new snapshot.

    It takes five different networks that 'edgenas measure' measured against this table.

    Example: edgenas tables recalibrate 3f2a9c01d4e5b678
    """
    made = client.recalibrate_table(snapshot, private)
    if json:
        print_json(made)
        return
    print_facts(
        {
            "table": made.snapshot,
            "parent": made.parent,
            "factor": f"{made.factor:.4f} +- {made.error:.4f}, from {made.num_networks} networks",
            "scatter": f"{100 * made.scatter:.1f} % of measured over predicted",
            "error of a network": f"{100 * made.network_sigma:.1f} %, was the table's own guess",
        }
    )
    err.print(f"see it with: edgenas tables show {escape(made.snapshot)}")


def _tables_in_use(client: SearchClient, devices: Sequence[str], space: str | None) -> dict[str, str]:
    """Return the snapshots in use by what people read: device, space and, among several, the hash.

    Raises:
        ValueError: a device has none.
    """
    name = read_space(space).name if space else None
    found: dict[str, str] = {}
    for device in devices:
        used: dict[tuple[str, str], TableSummary] = {}
        for table in client.tables(device, name):
            if table.verdict is not None and table.verdict.is_accepted:
                used.setdefault((table.space, table.conditions.key), table)
        if not used:
            raise ValueError(f"device {device!r} has no accepted table; make one with: edgenas profile")
        found |= {f"{device} {table.space} {table.snapshot}": table.snapshot for table in used.values()}
    return found


def _checked(client: SearchClient, snapshot: str, watch: Follow, private: bool) -> TableCheck:
    done = follow_check(client, snapshot, watch, private)
    require_done(done.job)
    return done


def follow_check(client: SearchClient, snapshot: str, watch: Follow, private: bool = False) -> TableCheck:
    """Check a table and show the progress until it has ended."""
    return watch(client.check_table(snapshot, private), client.check_events, client.cancel_check)


def check_if_old(client: SearchClient, snapshot: str, watch: Follow, private: bool) -> Drift | None:
    """Check a table unless it was measured or checked within the last 24 hours; return what was found."""
    summary = client.table(snapshot).summary
    newest = summary.drift.found_at if summary.drift else summary.created_at
    if datetime.now(UTC) - datetime.fromisoformat(newest) < CHECK_AFTER:
        return None
    return follow_check(client, snapshot, watch, private).drift


def _drift_facts(drift: Drift) -> dict[str, str]:
    now, then = milliseconds(drift.anchor_now_us), milliseconds(drift.anchor_then_us)
    networks = ", ".join(
        f"{100 * (network.measured_units / network.predicted_units - 1):+z.1f} %"
        for network in drift.networks
    )
    return {
        "table": drift.snapshot,
        "level": f"{100 * drift.level:+z.1f} %: the anchor takes {now} ms, took {then} ms",
        "structure": f"{100 * drift.structure:+z.1f} %: the median of {networks}",
        "outcome": f"rescaled to {drift.rescaled_to}" if drift.rescaled_to else drift.outcome,
    }
