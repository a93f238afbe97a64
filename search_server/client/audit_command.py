"""``edgenas audit``: who changed what on a server, for its administrators."""

from itertools import islice
from typing import Annotated

import typer

from search_server.client.commands import JsonOption, command, out, print_json
from search_server.client.grid import grid
from search_server.client.search_client import SearchClient


def add_command(app: typer.Typer) -> None:
    """Add the command to the root command."""
    command(app, "audit")(audit)


def audit(
    client: SearchClient,
    user: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this user's tokens.")] = None,
    subject: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only about this, such as the id of a job.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From then on: 2026-11-28T09:00:00Z.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Before then: 2026-11-28T10:00:00Z.")
    ] = None,
    status: Annotated[
        int | None, typer.Option(min=0, max=599, metavar="N", help="Only with this answer, such as 403.")
    ] = None,
    limit: Annotated[int, typer.Option("-n", min=1, metavar="N", help="So many of the newest.")] = 50,
    json: JsonOption = False,
) -> None:
    """List changes, and changes that were refused, newest first; takes a token of scope admin.

    Example: edgenas audit --user alice -n 20
    """
    entries = list(islice(client.audit(user, subject, since, until, status), limit))
    if json:
        print_json(entries)
        return
    table = grid("when", "who", ">status", "what", "about", "from")
    for entry in entries:
        when = entry.at[:19].replace("T", " ")
        table.add_row(when, entry.user, str(entry.status), entry.action, entry.subject, entry.address)
    out.print(table)
