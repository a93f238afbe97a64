"""The command ``search-server``: serve, work, migrate, and make tokens."""

import asyncio
import importlib
import json
import os
import re
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import structlog
import typer
import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from search_server.app import create_app, end_waiting
from search_server.clock import utc_now
from search_server.db.migrate import is_at_head, migrate_to_head
from search_server.db.session import Database
from search_server.errors import ServerError, UnavailableError
from search_server.install.command import install_command
from search_server.logs import configure_logs
from search_server.profiling.dispatch import Dispatcher
from search_server.routes.health import require_ready
from search_server.search_options import AcceleratorName
from search_server.searches.worker import Worker
from search_server.settings import Settings
from search_server.tokens import SCOPES, Scope, create_token, list_tokens, revoke_token

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The edgenas server. Start one with: search-server serve",
)
token_app = typer.Typer(no_args_is_help=True, help="Tokens of users, administrators and new devices.")
app.add_typer(token_app, name="token")

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Folder for database and files (EDGENAS_DATA; default .edgenas)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

_log = structlog.get_logger()


class _Server(uvicorn.Server):
    """Tells those who wait that the server stops; uvicorn itself would wait for them."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        end_waiting(self.config.app)  # type: ignore[arg-type]  # it is the app that serve() gave
        super().handle_exit(sig, frame)


_DURATION_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (default 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port (default 8000).")] = None,
    data: DataOption = None,
) -> None:
    """Serve the REST interface and the pages.

    Example: search-server serve --host 0.0.0.0 --port 8000
    """
    settings = _settings(data, host=host, port=port)
    _open_database(settings).close()
    _log.info("serving", url=f"http://{settings.host}:{settings.port}", docs="/docs")
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    _Server(config).run()


@app.command()
def worker(
    data: DataOption = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write TensorBoard's event files there, a folder a search."),
    ] = None,
    accelerator: Annotated[
        AcceleratorName | None,
        typer.Option(
            help="What searches compute on (EDGENAS_ACCELERATOR; default auto: the first that torch can "
            "use of cuda, mps and cpu)."
        ),
    ] = None,
) -> None:
    """Run searches from the queue, and call the agents that listen.

    Example: search-server worker

    Example: search-server worker --tensorboard runs

    Example: search-server worker --accelerator cuda
    """
    settings = _settings(data, tensorboard=tensorboard, accelerator=accelerator)
    if settings.accelerator not in ("auto", "cpu"):
        importlib.import_module("search_server.nas.supernet.accelerator").choose_accelerator(
            settings.accelerator
        )
    database = _open_database(settings)
    environment = {
        "EDGENAS_DATABASE_URL": settings.url,
        "EDGENAS_DATA": str(settings.data.absolute()),
        "EDGENAS_ACCELERATOR": settings.accelerator,
    }
    if settings.tensorboard is not None:
        environment["EDGENAS_TENSORBOARD"] = str(settings.tensorboard.absolute())
    running = Worker(
        database,
        worker_id=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"[-64:],
        now=utc_now,
        environment=environment,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: running.stop.set())
    if settings.agent_networks:
        dispatcher = Dispatcher(database, settings.data, settings.agent_networks, utc_now)
        threading.Thread(target=asyncio.run, args=(dispatcher.run_forever(),), daemon=True).start()
    running.run()
    database.close()


@app.command()
def migrate(data: DataOption = None) -> None:
    """Bring the database to the schema of this version.

    Example: EDGENAS_DATABASE_URL=postgresql://edgenas@localhost/edgenas search-server migrate
    """
    _open_database(_settings(data), is_migrated=True).close()
    typer.echo("the database is at the newest schema", err=True)


@token_app.command("create")
def token_create(
    scope: Annotated[str, typer.Option(help=f"One of {', '.join(s for s in SCOPES if s != 'device')}.")],
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

    Example: search-server token create --scope enrol --ttl 1h --print-command
    """
    settings = _settings(data, public_url=server_url)
    if print_command and scope != "enrol":
        raise typer.BadParameter("only --scope enrol has a line for devices", param_hint="--print-command")
    here = f"http://127.0.0.1:{settings.port}"
    install = install_command(here, settings.public_url) if print_command else None
    database = _open_database(settings)
    with database.transaction() as session:
        text = create_token(session, _scope(scope), utc_now(), _duration(ttl))
    database.close()
    if as_json:
        command = {"command": install.command, "note": install.note} if install else {}
        typer.echo(json.dumps({"token": text, "scope": scope, "ttl": ttl, **command}))
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
    database = _open_database(_settings(data))
    with database.reading() as session:
        rows = [
            {
                "token_id": row.token_id,
                "scope": row.scope,
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
            f"{row['token_id']}  {row['scope']:<6}  {state:<7}  last used {row['last_used_at'] or 'never'}"
        )


def _token_state(row: Mapping[str, str | None], now: str) -> str:
    """Return whether a token still works: revoked, used, expired or valid; times are UTC, ISO 8601."""
    if row["revoked_at"]:
        return "revoked"
    if row["used_at"]:
        return "used"
    return "expired" if row["expires_at"] and row["expires_at"] <= now else "valid"


@token_app.command("revoke")
def token_revoke(token_id: Annotated[str, typer.Argument(metavar="ID")], data: DataOption = None) -> None:
    """Make a token useless from now on.

    Example: search-server token revoke 3f9a2c01d4e5
    """
    database = _open_database(_settings(data))
    with database.transaction() as session:
        revoke_token(session, token_id, utc_now())
    database.close()
    typer.echo(f"token {token_id} is revoked", err=True)


def main() -> None:
    """Run the command; what a user can put right ends with one line and status 1."""
    configure_logs()
    os.umask(0o077)  # what lies in the data folder, such as tokens of agents, is for this user alone
    try:
        app()
    except (ServerError, ValueError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)


def _settings(data: Path | None, **flags: str | int | Path | None) -> Settings:
    given: dict[str, Any] = {"data": data, **flags}
    return Settings(**{name: value for name, value in given.items() if value is not None})


def _open_database(settings: Settings, *, is_migrated: bool = False) -> Database:
    """Return the database at the newest schema, and make the data folder if there is none.

    Args:
        settings: where both are.
        is_migrated: bring the database to the newest schema; SQLite in the data folder is always brought.

    Raises:
        ValueError: the folder cannot be made.
        UnavailableError: the database does not answer, is none, or needs 'search-server migrate'.
    """
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"the data folder {settings.data} cannot be made ({error.strerror}); name another with --data"
        ) from error
    try:
        database = Database(settings.url)
        if is_migrated or (settings.uses_default_database and not is_at_head(database.engine)):
            migrate_to_head(database.engine)
        require_ready(database)
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", error)
        raise UnavailableError(
            "no_database",
            f"the database cannot be used ({reason}); look at {_database_words(settings)}",
        ) from error
    return database


def _database_words(settings: Settings) -> str:
    if settings.uses_default_database:
        return f"the file {settings.data / 'edgenas.db'}"
    return "EDGENAS_DATABASE_URL, such as postgresql://edgenas@localhost/edgenas"


def _scope(text: str) -> Scope:
    for scope in SCOPES:
        if scope == text and scope != "device":
            return scope
    raise typer.BadParameter(f"must be user, enrol or admin, got {text!r}", param_hint="--scope")


def _duration(text: str | None) -> timedelta | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)([smhd])", text.strip())
    if match is None or int(match[1]) == 0:
        raise typer.BadParameter(
            f"must be a number and s, m, h or d, such as 1h; got {text!r}", param_hint="--ttl"
        )
    return timedelta(seconds=int(match[1]) * _DURATION_S[match[2]])


if __name__ == "__main__":
    main()
