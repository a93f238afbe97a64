"""``search-server migrate``: the schema of this version."""

import typer

from search_server.opening import DataOption, open_database, read_settings


def add_to(app: typer.Typer) -> None:
    """Give the command line this command."""
    app.command()(migrate)


def migrate(data: DataOption = None) -> None:
    """Bring the database to the schema of this version.

    Example: EDGENAS_DATABASE_URL=postgresql://edgenas@localhost/edgenas search-server migrate
    """
    open_database(read_settings(data), is_migrated=True).close()
    typer.echo("the database is at the newest schema", err=True)
