"""``search-server backup`` and ``restore``."""

from pathlib import Path
from typing import Annotated

import typer

from search_server.clock import utc_now
from search_server.opening import DataOption, open_database, open_unmigrated, read_settings
from search_server.operating.backup import write_backup
from search_server.operating.restore import restore_backup


def add_to(app: typer.Typer) -> None:
    """Give the command line these commands."""
    app.command()(backup)
    app.command()(restore)


def backup(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The file to write, or a folder for it.")],
    data: DataOption = None,
) -> None:
    """Write the database and all files that its jobs refer to into one file, while the server runs.

    PostgreSQL needs pg_dump of its own version or later on the PATH.

    Example: search-server backup /var/backups
    """
    settings, now = read_settings(data), utc_now()
    target = path / f"edgenas-{now:%Y%m%dT%H%M%SZ}.tar" if path.is_dir() else path
    database = open_database(settings)
    manifest = write_backup(database, settings.job_store, target, now)
    database.close()
    size_mb = sum(stored.size_bytes for stored in manifest.files) / 1e6
    typer.echo(f"{target}: {len(manifest.files)} files, {size_mb:.1f} MB, schema {manifest.migration}")
    for name in manifest.missing:
        typer.echo(f"warning: {name} is named in the database but is not there", err=True)


def restore(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file that 'search-server backup' wrote.")],
    force: Annotated[
        bool, typer.Option("--force", help="Give up what is in the database and the data folder.")
    ] = False,
    data: DataOption = None,
) -> None:
    """Bring a backup back; all its checksums are verified before anything is changed.

    Stop server and workers first. A restore that fails leaves the database as it was. The schema is brought
    to that of this version. PostgreSQL needs pg_restore and psql on the PATH.

    Example: search-server restore edgenas-20261128T120000Z.tar --data /srv/edgenas
    """
    settings = read_settings(data)
    database = open_unmigrated(settings)
    manifest = restore_backup(database, settings.job_store, path, is_forced=force)
    database.close()
    typer.echo(f"restored {len(manifest.files)} files as they were at {manifest.made_at}", err=True)
