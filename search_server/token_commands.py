"""``search-server token``: make, list and revoke tokens."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

import typer

from search_server.audit import record_command
from search_server.clock import utc_now
from search_server.db.models import SHARED
from search_server.durations import parse_duration
from search_server.install.command import install_command, noted_address
from search_server.opening import DataOption, JsonOption, open_database, read_settings
from search_server.tokens import SCOPES, Scope, create_token, list_tokens, revoke_token

token_app = typer.Typer(no_args_is_help=True, help="Tokens of users, administrators and new devices.")


def add_to(app: typer.Typer) -> None:
    """Give the command line these commands."""
    app.add_typer(token_app, name="token")


@token_app.command("create")
def token_create(
    scope: Annotated[
        str, typer.Option(help=f"One of {', '.join(s for s in SCOPES if s != 'device')}.")
    ] = "user",
    user: Annotated[
        str, typer.Option(metavar="NAME", help="Whose token it is; 'search-server user add' adds users.")
    ] = SHARED,
    ttl: Annotated[
        str | None, typer.Option(help="Valid for so long: 30m, 1h, 7d. Default: no end.")
    ] = None,
    print_command: Annotated[
        bool, typer.Option(help="Also print the line to type on the device; it asks for the token.")
    ] = False,
    server_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The server's address in that line (EDGENAS_PUBLIC_URL)."),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it, this once. Enrolment tokens work once.

    Example: search-server token create --user alice

    Example: search-server token create --scope enrol --ttl 1h --print-command
    """
    settings = read_settings(data, public_url=server_url)
    if print_command and scope != "enrol":
        raise typer.BadParameter("only --scope enrol has a line for devices", param_hint="--print-command")
    here = noted_address(settings.data) or f"http://127.0.0.1:{settings.port}"
    install = install_command(here, settings.public_url) if print_command else None
    database = open_database(settings)
    with database.transaction() as session:
        text = create_token(session, _scope(scope), utc_now(), _duration(ttl), owner=user)
        record_command(session, utc_now(), "token create", f"{text.split('_')[2]} {scope} {user}")
    database.close()
    if as_json:
        command = {"command": install.command, "note": install.note} if install else {}
        typer.echo(json.dumps({"token": text, "scope": scope, "user": user, "ttl": ttl, **command}))
        return
    typer.echo(text)
    if install:
        typer.echo(f"\nOn the device, type this line; it asks for the token above:\n  {install.command}")
        typer.echo(install.note, err=True)


@token_app.command("list")
def token_list(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List all tokens without their secrets.

    Example: search-server token list
    """
    database = open_database(read_settings(data))
    with database.reading() as session:
        rows = [
            {
                "token_id": row.token_id,
                "scope": row.scope,
                "user": row.owner,
                "device_id": row.device_id,
                "created_at": row.created_at.isoformat(),
                "expires_at": row.expires_at.isoformat() if row.expires_at else None,
                "revoked_at": row.revoked_at.isoformat() if row.revoked_at else None,
                "used_at": row.used_at.isoformat() if row.used_at else None,
                "last_used_at": row.last_used_at.isoformat() if row.last_used_at else None,
            }
            for row in list_tokens(session)
        ]
    database.close()
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        state = _token_state(row, utc_now().isoformat())
        typer.echo(
            f"{row['token_id']}  {row['scope']:<6}  {state:<7}  {row['user']}  "
            f"last used {row['last_used_at'] or 'never'}"
        )


def _token_state(row: Mapping[str, str | None], now: str) -> str:
    """Return whether a token still works: revoked, used, expired or valid; times are UTC, ISO 8601."""
    if row["revoked_at"]:
        return "revoked"
    if row["used_at"]:
        return "used"
    return "expired" if row["expires_at"] and row["expires_at"] <= now else "valid"


@token_app.command("revoke")
def token_revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="as `token list` prints it")],
    data: DataOption = None,
) -> None:
    """Make a token useless from now on.

    Example: search-server token revoke 3f9a2c01d4e5
    """
    database = open_database(read_settings(data))
    with database.transaction() as session:
        revoke_token(session, token_id, utc_now())
        record_command(session, utc_now(), "token revoke", token_id)
    database.close()
    typer.echo(f"token {token_id} is revoked", err=True)


def _scope(text: str) -> Scope:
    for scope in SCOPES:
        if scope == text and scope != "device":
            return scope
    raise typer.BadParameter(f"must be user, enrol or admin, got {text!r}", param_hint="--scope")


def _duration(text: str | None) -> timedelta | None:
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--ttl") from error
