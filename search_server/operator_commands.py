"""``search-server backup``, ``restore``, ``compact``, ``doctor``: what an operator types now and then."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from search_server.clock import utc_now
from search_server.data_roots import DataRoots
from search_server.db.session import Database
from search_server.durations import parse_duration
from search_server.opening import DataOption, JsonOption, open_database, open_unmigrated, read_settings
from search_server.operating.backup import write_backup
from search_server.operating.deep_check import examine_deeply
from search_server.operating.doctor import Finding, examine, image_folders, shared_store
from search_server.operating.restore import restore_backup
from search_server.operating.retention import compact as compact_old


def add_operator_commands(app: typer.Typer) -> None:
    """Give the command line these commands."""
    for command in (backup, restore, compact, doctor):
        app.command()(command)


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

    Stop server and workers first. The schema is brought to that of this version. PostgreSQL needs
    pg_restore on the PATH.

    Example: search-server restore edgenas-20261128T120000Z.tar --data /srv/edgenas
    """
    settings = read_settings(data)
    database = open_unmigrated(settings)
    manifest = restore_backup(database, settings.job_store, path, is_forced=force)
    database.close()
    typer.echo(f"restored {len(manifest.files)} files as they were at {manifest.made_at}", err=True)


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


def doctor(
    deep: Annotated[
        bool, typer.Option("--deep", help="Also read all results, tables and model files: takes a while.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at database, schema, files, disk, clock, worker and devices; each line says what to do.

    Ends with status 1 if something fails; warnings alone end with 0. Changes nothing.

    Example: search-server doctor

    Example: search-server doctor --deep --json
    """
    settings = read_settings(data)
    findings: list[Finding] = []
    try:
        database = Database(settings.url)
    except SQLAlchemyError as error:
        findings.append(Finding("database", "fail", str(error), "put EDGENAS_DATABASE_URL right"))
    else:
        findings += examine(database, settings.data, utc_now)
        if deep and all(finding.level != "fail" for finding in findings):
            findings += examine_deeply(database, settings.job_store)
        database.close()
    if settings.store is not None:
        findings.append(shared_store(settings.job_store))
    findings += image_folders(DataRoots(settings.data_roots))  # the default one need not be there
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        for line in _table(findings):
            typer.echo(line)
    raise typer.Exit(any(finding.level == "fail" for finding in findings))


def _table(findings: Sequence[Finding]) -> Iterator[str]:
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        yield f"{finding.level:<4}  {finding.subject:<{width}}  {finding.detail}"
        if finding.next_step:
            yield f"{'':<4}  {'':<{width}}  -> {finding.next_step}"
