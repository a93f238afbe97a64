"""The command ``edgenas``: devices, latency tables, networks and searches from a terminal."""

from typing import Annotated

import typer

from search_server.client import (
    architecture_commands,
    audit_command,
    call_command,
    data_commands,
    device_commands,
    front_commands,
    gate_command,
    job_commands,
    latency_commands,
    login_commands,
    model_commands,
    model_measure_command,
    sample_commands,
    search_commands,
    submit_command,
    table_commands,
)
from search_server.client.commands import Connection, TokenFileOption, fail, read_token
from search_server.client.login import SERVER_VARIABLE
from shared.program_version import version_option

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
latency_commands.add_commands(app)
app.add_typer(device_commands.devices_app, name="devices")
call_command.add_command(device_commands.devices_app)
app.add_typer(data_commands.app, name="data")
app.add_typer(table_commands.app, name="tables")
app.add_typer(sample_commands.app, name="samples")
app.add_typer(model_commands.app, name="model")
model_measure_command.add_command(model_commands.app)
gate_command.add_command(model_commands.app)
app.add_typer(job_commands.app, name="jobs")
app.add_typer(architecture_commands.app, name="architecture")
app.add_typer(search_commands.app, name="search")
audit_command.add_command(app)
login_commands.add_commands(app)
submit_command.add_command(search_commands.app)
front_commands.add_commands(search_commands.app)


@app.callback()
def root(
    context: typer.Context,
    server: Annotated[
        str | None,
        typer.Option(metavar="URL", envvar=SERVER_VARIABLE, help="Where the server listens."),
    ] = None,
    token_file: TokenFileOption = None,
    version: Annotated[bool, version_option("edgenas", "edgenas")] = False,  # noqa: ARG001 - it has acted
) -> None:
    """Profile latency on devices and search for networks that fit them.

    The server's address comes from --server, EDGENAS_SERVER_URL or 'edgenas login'; else it is this
    machine.
    The token of scope user comes from --token-file, EDGENAS_TOKEN or the login; 'search-server token create
    --scope user' prints one.

    Example: edgenas devices list
    """
    try:
        token = read_token(token_file) if token_file else None
    except ValueError as error:
        fail(error)
    context.obj = Connection(server, token)


def main() -> None:
    """Run the command line."""
    app(prog_name="edgenas")


if __name__ == "__main__":
    main()
