"""``search-server serve``: the REST interface and the pages."""

import socket
from types import FrameType
from typing import Annotated

import structlog
import typer
import uvicorn

from search_server.app import create_app, end_waiting
from search_server.install.command import network_url, note_address, own_url
from search_server.open_files import raise_open_files
from search_server.opening import DataOption, await_database, read_settings

_log = structlog.get_logger()


def add_to(app: typer.Typer) -> None:
    """Give the command line this command."""
    app.command()(serve)


class _Server(uvicorn.Server):
    """Tells those who wait that the server stops; uvicorn itself would wait for them."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        end_waiting(self.config.app)  # type: ignore[arg-type]  # it is the app that serve() gave
        super().handle_exit(sig, frame)


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
    await_database(settings).close()
    _check_address(settings.host, settings.port)
    note_address(settings.data, settings.host, settings.port)
    elsewhere = network_url(settings.host, settings.port, settings.public_url)
    _log.info(
        "serving; stop with Ctrl-C",
        url=own_url(settings.host, settings.port),
        **({"from_other_machines": elsewhere} if elsewhere else {}),
    )
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
