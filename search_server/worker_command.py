"""``search-server worker``: runs searches, and calls the agents that listen."""

import asyncio
import importlib
import os
import secrets
import signal
import socket
import threading
from pathlib import Path
from typing import Annotated

import structlog
import typer
from sqlalchemy import make_url

from search_server.clock import utc_now
from search_server.engines.choice import EngineName, choose_engine
from search_server.opening import DataOption, await_database, read_settings
from search_server.profiling.dispatch import Dispatcher
from search_server.search_options import AcceleratorName
from search_server.searches.worker import Worker
from search_server.settings import Settings

_log = structlog.get_logger()


def add_to(app: typer.Typer) -> None:
    """Give the command line this command."""
    app.command()(worker)


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
    store, database = settings.job_store, await_database(settings)
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
    tell_start(settings)
    running.run()
    database.close()


def tell_start(settings: Settings) -> None:
    """Say what the worker does and where its work comes from."""
    what = "searches, and calls agents that listen" if settings.agent_networks else "searches"
    _log.info(
        f"waiting for {what}; stop with Ctrl-C",
        database=make_url(settings.url).render_as_string(),
        images=[str(root.absolute()) for root in settings.image_roots.folders],
        accelerator=settings.accelerator,
        processes=settings.processes,
    )
