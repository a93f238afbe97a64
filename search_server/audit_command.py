"""``search-server audit``: who changed what, for an operator at the server, also while it is down."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import typer

from search_server.audit import AuditFilter, iterate_audit
from search_server.opening import DataOption, JsonOption, open_database, read_settings


def add_to(app: typer.Typer) -> None:
    """Give the command line this command."""
    app.command()(audit)


def audit(
    user: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this user's tokens.")] = None,
    subject: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only about this, such as the id of a job.")
    ] = None,
    status: Annotated[
        int | None, typer.Option(min=0, max=599, metavar="N", help="Only with this answer, such as 403.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From then on: 2026-11-28T09:00:00Z.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Before then: 2026-11-28T10:00:00Z.")
    ] = None,
    limit: Annotated[int, typer.Option("-n", min=1, metavar="N", help="So many of the newest.")] = 50,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List changes, and changes that were refused, newest first, straight from the database.

    It needs no token and no running server; 'edgenas audit' asks a server from anywhere.

    Example: search-server audit --user alice -n 20

    Example: search-server audit --since 2026-11-28T09:00:00Z --status 403
    """
    wanted = AuditFilter(user, subject, status, read_time("--since", since), read_time("--until", until))
    database = open_database(read_settings(data))
    with database.reading() as session:
        entries = list(islice(iterate_audit(session, wanted), limit))
    database.close()
    if as_json:
        typer.echo(json.dumps([asdict(entry) for entry in entries]))
        return
    for entry in entries:
        when = entry.at[:19].replace("T", " ")
        answer = "-" if entry.scope == "command" else str(entry.status)
        words = (when, f"{entry.user:<12}", f"{answer:>3}", entry.action, entry.subject, entry.address)
        typer.echo("  ".join(filter(None, words)))


def read_time(option: str, text: str | None) -> datetime | None:
    """Return a moment that somebody typed; one without a zone is UTC.

    Raises:
        ValueError: it is none.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"{option} must be a time such as 2026-11-28T09:00:00Z, got {text!r:.40}"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
