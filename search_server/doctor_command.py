"""``search-server doctor``: how the server is, and what to do."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from search_server.clock import utc_now
from search_server.data_roots import DataRoots
from search_server.db.session import Database
from search_server.opening import DataOption, JsonOption, read_settings
from search_server.operating.deep_check import examine_deeply
from search_server.operating.doctor import Finding, examine, image_folders, shared_store


def add_to(app: typer.Typer) -> None:
    """Give the command line this command."""
    app.command()(doctor)


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
