"""``search-server compact``: what was measured long ago takes less room."""

from typing import Annotated

import typer

from search_server.clock import utc_now
from search_server.durations import parse_duration
from search_server.opening import DataOption, open_database, read_settings
from search_server.operating.retention import compact as compact_old


def add_to(app: typer.Typer) -> None:
    """Give the command line this command."""
    app.command()(compact)


def compact(
    older_than: Annotated[
        str, typer.Option(metavar="AGE", help="What was measured, or done, so long ago: 90d; at least 1d.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be given up.")] = False,
    data: DataOption = None,
) -> None:
    """Replace the single samples of old measurements by summaries, and remove checkpoints of done searches.

    Tables, predictions, node latencies and exported networks stay as they are; a table cannot be fitted
    again from what is left. EDGENAS_RETENTION_DAYS has the server do it every hour.

    Example: search-server compact --older-than 90d --dry-run
    """
    settings = read_settings(data)
    database = open_database(settings)
    age = parse_duration(older_than)
    given_up = compact_old(database, settings.job_store, age, utc_now(), is_dry=dry_run)
    database.close()
    typer.echo(
        f"{'would give' if dry_run else 'gave'} up the samples of {given_up.num_results} results "
        f"({given_up.num_bytes / 1e6:.1f} MB) and {given_up.num_checkpoints} checkpoints "
        f"({given_up.checkpoint_bytes / 1e6:.1f} MB)"
    )
