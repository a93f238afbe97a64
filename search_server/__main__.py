"""The command ``search-server``: serve, work, migrate, and make tokens."""

import asyncio
import importlib
import os
import secrets
import signal
import socket
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated

import structlog
import typer
import uvicorn

from search_server.app import create_app, end_waiting
from search_server.audit_command import add_audit_command
from search_server.clock import utc_now
from search_server.engines.choice import EngineName, choose_engine
from search_server.errors import ServerError
from search_server.logs import configure_logs
from search_server.open_files import raise_open_files
from search_server.opening import DataOption, open_database, read_settings
from search_server.operator_commands import add_operator_commands
from search_server.profiling.dispatch import Dispatcher
from search_server.search_options import AcceleratorName
from search_server.searches.worker import Worker
from search_server.token_commands import token_app
from search_server.user_commands import user_app
from shared.program_version import version_option

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The edgenas server. Start one with: search-server serve",
)
app.add_typer(token_app, name="token")
app.add_typer(user_app, name="user")
add_operator_commands(app)
add_audit_command(app)

_log = structlog.get_logger()


@app.callback()
def root(
    version: Annotated[bool, version_option("search-server", "edgenas")] = False,
) -> None:
    """Take the options that stand before a command."""


class _Server(uvicorn.Server):
    """Tells those who wait that the server stops; uvicorn itself would wait for them."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        end_waiting(self.config.app)  # type: ignore[arg-type]  # it is the app that serve() gave
        super().handle_exit(sig, frame)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (default 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port (default 8000).")] = None,
    data: DataOption = None,
) -> None:
    """Serve the REST interface and the pages.

    Example: search-server serve --host 0.0.0.0 --port 8000
    """
    settings = read_settings(data, host=host, port=port)
    raise_open_files()
    open_database(settings).close()
    _check_address(settings.host, settings.port)
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


def _check_address(host: str, port: int) -> None:
    """Tell now, in words, if the server could not listen.

    Raises:
        ValueError: the address is not this machine's, or its port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        raise ValueError(
            f"cannot listen on {host} port {port} ({error.strerror}); choose another with --host and --port"
        ) from error


@app.command()
def worker(
    data: DataOption = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write TensorBoard's event files there, a folder a search."),
    ] = None,
    mlflow: Annotated[
        str | None,
        typer.Option(metavar="STORE", help="Note searches in this MLflow store: a server or a folder."),
    ] = None,
    wandb: Annotated[
        str | None,
        typer.Option(metavar="PROJECT", help="Note searches in this project of Weights & Biases."),
    ] = None,
    accelerator: Annotated[
        AcceleratorName | None,
        typer.Option(
            help="What searches compute on (EDGENAS_ACCELERATOR; default auto: the first that torch can "
            "use of cuda, mps and cpu)."
        ),
    ] = None,
    engine: Annotated[
        EngineName | None,
        typer.Option(help="Where the processes of a job run (EDGENAS_ENGINE; default local)."),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="Most processes of a job (EDGENAS_PROCESSES; default 1)."),
    ] = None,
    ray_address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="The head of the Ray cluster (EDGENAS_RAY_ADDRESS; default: the cluster of this host).",
        ),
    ] = None,
) -> None:
    """Run searches from the queue, and call the agents that listen.

    With several processes searches compute side by side, and networks are trained at the same time: on this
    machine, or with engine ray on a Ray cluster of which this host is a node.

    Example: search-server worker

    Example: search-server worker --tensorboard runs

    Example: search-server worker --mlflow http://mlflow:5000

    Example: search-server worker --accelerator cuda

    Example: search-server worker --processes 4

    Example: search-server worker --engine ray --ray-address 10.0.0.1:6379 --processes 8
    """
    settings = read_settings(
        data,
        tensorboard=tensorboard,
        mlflow=mlflow,
        wandb=wandb,
        accelerator=accelerator,
        engine=engine,
        processes=processes,
        ray_address=ray_address,
    )
    choose_engine(settings.engine, settings.processes, settings.ray_address, settings.accelerator)
    if settings.accelerator not in ("auto", "cpu"):
        importlib.import_module("search_server.nas.supernet.accelerator").choose_accelerator(
            settings.accelerator
        )
    store, database = settings.job_store, open_database(settings)
    environment = {
        "EDGENAS_DATABASE_URL": settings.url,
        "EDGENAS_DATA": str(settings.data.absolute()),
        "EDGENAS_ACCELERATOR": settings.accelerator,
        "EDGENAS_ENGINE": settings.engine,
        "EDGENAS_PROCESSES": str(settings.processes),
    }
    if settings.ray_address is not None:
        environment["EDGENAS_RAY_ADDRESS"] = settings.ray_address
    if settings.store is not None:
        environment["EDGENAS_STORE"] = settings.store
    tensorboard = settings.tensorboard and settings.tensorboard.absolute()
    trackers = {"TENSORBOARD": tensorboard, "MLFLOW": settings.mlflow, "WANDB": settings.wandb}
    environment |= {f"EDGENAS_{name}": str(value) for name, value in trackers.items() if value is not None}
    running = Worker(
        database,
        worker_id=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"[-64:],
        now=utc_now,
        environment=environment,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: running.stop.set())
    if settings.agent_networks:
        dispatcher = Dispatcher(database, store, settings.agent_networks, utc_now)
        threading.Thread(target=asyncio.run, args=(dispatcher.run_forever(),), daemon=True).start()
    running.run()
    database.close()


@app.command()
def migrate(data: DataOption = None) -> None:
    """Bring the database to the schema of this version.

    Example: EDGENAS_DATABASE_URL=postgresql://edgenas@localhost/edgenas search-server migrate
    """
    open_database(read_settings(data), is_migrated=True).close()
    typer.echo("the database is at the newest schema", err=True)


def main() -> None:
    """Run the command; what a user can put right ends with one line and status 1."""
    configure_logs()
    os.umask(0o077)  # what lies in the data folder, such as tokens of agents, is for this user alone
    try:
        app()
    except (ServerError, ValueError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
