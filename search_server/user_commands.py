"""``search-server user``: add, list, disable and enable those whom tokens belong to."""

import json
from typing import Annotated

import typer

from search_server.audit import record_command
from search_server.clock import utc_now
from search_server.opening import DataOption, JsonOption, open_database, read_settings
from search_server.people import add_user, list_users, set_disabled

user_app = typer.Typer(no_args_is_help=True, help="People and robots, whom tokens belong to.")


def add_to(app: typer.Typer) -> None:
    """Give the command line these commands."""
    app.add_typer(user_app, name="user")


NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Such as alice.")]


@user_app.command("add")
def user_add(
    name: NameArgument,
    robot: Annotated[bool, typer.Option("--robot", help="A program, such as a build server.")] = False,
    admin: Annotated[bool, typer.Option("--admin", help="May have tokens of scope admin.")] = False,
    data: DataOption = None,
) -> None:
    """Add a person or a robot, who then can have tokens.

    Example: search-server user add alice
    """
    database = open_database(read_settings(data))
    with database.transaction() as session:
        add_user(session, name, utc_now(), is_robot=robot, is_admin=admin)
        record_command(session, utc_now(), "user add", name)
    database.close()
    typer.echo(f"user {name} is there; 'search-server token create --user {name}' makes a token", err=True)


@user_app.command("list")
def user_list(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List all users.

    Example: search-server user list
    """
    database = open_database(read_settings(data))
    with database.reading() as session:
        rows = [
            {
                "name": row.name,
                "is_robot": row.is_robot,
                "is_admin": row.is_admin,
                "created_at": row.created_at.isoformat(),
                "disabled_at": row.disabled_at.isoformat() if row.disabled_at else None,
            }
            for row in list_users(session)
        ]
    database.close()
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        words = ["robot" if row["is_robot"] else "person", *(["admin"] if row["is_admin"] else [])]
        typer.echo(f"{row['name']}  {', '.join(words + (['disabled'] if row['disabled_at'] else []))}")


@user_app.command("disable")
def user_disable(name: NameArgument, data: DataOption = None) -> None:
    """Let all tokens of a user work no longer; what is hers stays hers, and her devices go on.

    Example: search-server user disable alice
    """
    database = open_database(read_settings(data))
    with database.transaction() as session:
        set_disabled(session, name, utc_now())
        record_command(session, utc_now(), "user disable", name)
    database.close()
    typer.echo(f"user {name} is disabled", err=True)


@user_app.command("enable")
def user_enable(name: NameArgument, data: DataOption = None) -> None:
    """Let the tokens of a disabled user work again.

    Example: search-server user enable alice
    """
    database = open_database(read_settings(data))
    with database.transaction() as session:
        set_disabled(session, name, None)
        record_command(session, utc_now(), "user enable", name)
    database.close()
    typer.echo(f"user {name} is enabled", err=True)
