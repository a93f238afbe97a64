"""``edgenas jobs``: what is alike for jobs of all kinds."""

from typing import Annotated

import typer

from search_server.client.commands import JsonOption, command, err, print_json
from search_server.client.search_client import SearchClient
from search_server.client.short_ids import ShortId
from search_server.resources.jobs import JobUpdate

app = typer.Typer(no_args_is_help=True, help="Names and notes of profiles, measurements and searches.")


@command(app, "rename")
def rename_job(
    job: Annotated[str, typer.Argument(metavar="ID", help="Id of a job, or a part of it."), ShortId("job")],
    client: SearchClient,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Commands take it in place of the id; empty takes it off."),
    ] = None,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="A note of your own.")] = None,
    json: JsonOption = False,
) -> None:
    """Give a job a name or a note, which lists and pages show.

    Example: edgenas jobs rename job_0123 --name nightly --note "with the new table"
    """
    if name is None and note is None:
        raise ValueError("nothing to change; give --name, --note or both")
    changed = client.update_job(job, JobUpdate(name, note))
    if json:
        print_json(changed)
        return
    err.print(f"{changed.kind} {changed.job_id} is called {changed.name or 'nothing'}", markup=False)
    if note is not None:
        err.print(f"note: {changed.note or 'none'}", markup=False)
