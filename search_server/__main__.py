"""The command ``search-server``: serve, work, migrate, make tokens, and what an operator types."""

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated

import typer

from search_server.errors import ServerError
from search_server.logs import configure_logs
from shared.program_version import version_option

COMMANDS: Mapping[str, str] = {
    "serve": "serve_command",
    "worker": "worker_command",
    "migrate": "migrate_command",
    "backup": "backup_commands",
    "restore": "backup_commands",
    "compact": "compact_command",
    "doctor": "doctor_command",
    "audit": "audit_command",
    "token": "token_commands",
    "user": "user_commands",
}
"""The module of each; the server's takes more memory than all else that an operator types."""


def command_line(wanted: str = "") -> typer.Typer:
    """Return the command line with the wanted command, or with all where there is no such one."""
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="The edgenas server. Start one with: search-server serve",
    )
    app.callback()(root)
    modules = [COMMANDS[wanted]] if wanted in COMMANDS else dict.fromkeys(COMMANDS.values())
    for name in modules:
        import_module(f"search_server.{name}").add_to(app)
    return app


def root(
    version: Annotated[bool, version_option("search-server", "edgenas")] = False,
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run the command; what a user can put right ends with one line and status 1."""
    configure_logs()
    os.umask(0o077)  # what lies in the data folder, such as tokens of agents, is for this user alone
    try:
        command_line(sys.argv[1] if len(sys.argv) > 1 else "")()
    except (ServerError, ValueError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
