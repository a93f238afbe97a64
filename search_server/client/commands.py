"""What all commands share: options by type, the client they talk through, and how they fail.

A command is a plain function. Where it takes a :class:`SearchClient` or :class:`Conditions`, the command
line gets the options from which one is made; see :func:`command`.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from search_server.client.errors import SearchClientError, ServerRefusedError
from search_server.client.search_client import SearchClient
from search_server.client.short_ids import ShortId, whole_id
from search_server.client.show import facts
from shared.protocol.device import Conditions
from shared.protocol.wire import to_json
from shared.runtimes import ACCELERATORS, DTYPES, RUNTIME_NAMES

out = Console(highlight=False)
"""Results, for people and programs."""
err = Console(stderr=True, highlight=False)
"""Progress, warnings and errors."""

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_server_option = functools.partial(typer.Option, show_default=False, rich_help_panel="Server")
_condition = functools.partial(typer.Option, rich_help_panel="Conditions")

ServerOption = Annotated[
    str | None, _server_option("--server", metavar="URL", help="Where the server listens.")
]
TokenFileOption = Annotated[
    Path | None,
    _server_option("--token-file", metavar="FILE", help="File that holds a token of scope user."),
]
DeviceOption = Annotated[str, typer.Option("--device", "-d", metavar="D", help="Name or id of a device.")]
DevicesOption = Annotated[
    list[str] | None,
    typer.Option("--device", "-d", metavar="D", help="Name or id of a device; repeat it for several."),
]
TagOption = Annotated[
    str | None, typer.Option("--tag", metavar="TAG", help="All devices that carry this tag.")
]
SpaceOption = Annotated[
    str,
    typer.Option(
        "--space",
        "-s",
        metavar="SPACE",
        help="Such as fbnet-224, or fbnet-224:width=0.5, or a file of your own.",
    ),
]
MineOption = Annotated[bool, typer.Option("--mine", help="Only what is yours.")]
NameOption = Annotated[
    str,
    typer.Option(
        "--name", metavar="NAME", help="What to call the job; commands take it in place of the id."
    ),
]
PrivateOption = Annotated[
    bool, typer.Option("--private", help="Only you and administrators find it and what comes of it.")
]
AcceptNoiseOption = Annotated[
    bool,
    typer.Option(
        "--accept-noise",
        help="Measure a slow or restless device as it is, where it would be refused; the result says so.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="File to write.", show_default=False),
]


@dataclass(frozen=True, slots=True)
class Connection:
    """What the options before the command say of the server."""

    server_url: str | None
    token: str | None


def read_token(path: Path) -> str:
    """Return the token that a file holds.

    Raises:
        ValueError: the file cannot be read or is empty.
    """
    try:
        token = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"cannot read the token file {path}: {error.strerror}") from None
    if not token:
        raise ValueError(f"the token file {path} is empty; 'search-server token create' prints a token")
    return token


def _client(
    context: typer.Context, server: ServerOption = None, token_file: TokenFileOption = None
) -> SearchClient:
    connection = context.obj or Connection(None, None)
    token = read_token(token_file) if token_file else connection.token
    return SearchClient(server or connection.server_url, token)


def _told_conditions(
    runtime: Annotated[
        str | None,
        _condition(
            metavar="R",
            help=f"Inference runtime: {', '.join(RUNTIME_NAMES)}.",
            show_default="onnxruntime",
        ),
    ] = None,
    threads: Annotated[
        int | None, _condition(metavar="N", help="Threads that the runtime may use.", show_default="1")
    ] = None,
    dtype: Annotated[
        str | None,
        _condition(metavar="T", help=f"Number format: {', '.join(DTYPES)}.", show_default="fp32"),
    ] = None,
    batch: Annotated[int | None, _condition(metavar="N", help="Images a run.", show_default="1")] = None,
    cores: Annotated[
        str | None, _condition(metavar="0,1", help="Cores to run on; left out: the system chooses.")
    ] = None,
    thermal: Annotated[
        Literal["cold", "sustained"] | None,
        _condition(help="A rested device, or one after long load.", show_default="cold"),
    ] = None,
    accelerator: Annotated[
        str | None,
        _condition(
            metavar="A",
            help=f"What computes: {', '.join(ACCELERATORS)}, as the device offers it; left out: what the "
            "runtime usually takes, the CPU.",
        ),
    ] = None,
) -> Conditions | None:
    """Return the conditions that options name; None if there is no such option."""
    try:
        numbers = tuple(int(core) for core in (cores or "").split(",") if core.strip())
    except ValueError:
        raise ValueError(
            f"--cores must be numbers separated by commas, such as 0,1; got {cores!r}"
        ) from None
    named = {
        "runtime": runtime,
        "threads": threads,
        "dtype": dtype,
        "batch": batch,
        "cores": None if cores is None else numbers,
        "thermal": thermal,
        "accelerator": accelerator,
    }
    told: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    return Conditions(**told).usual_unsaid() if told else None


@functools.wraps(_told_conditions)
def _conditions(**options: Any) -> Conditions:
    return _told_conditions(**options) or Conditions()


_MAKERS: Mapping[Any, Callable[..., Any]] = {
    SearchClient: _client,
    Conditions: _conditions,
    Conditions | None: _told_conditions,
}


def command(
    app: typer.Typer, name: str, **settings: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds a function to ``app`` as a command with typer's ``settings``.

    A parameter of type :class:`SearchClient` or :class:`Conditions` is replaced by the options of the
    function that makes one; ``Conditions | None`` is None where no option names any. Where the annotation
    of a parameter has a :class:`ShortId`, the function gets the whole id for a part of one. Errors become a
    line on stderr and an exit status: 2 for what the caller wrote wrongly (a ValueError, or a refusal with
    status 422), 1 for everything else.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function, eval_str=True).parameters
        made = {key: _MAKERS[p.annotation] for key, p in own.items() if p.annotation in _MAKERS}
        needs = {key: inspect.signature(maker, eval_str=True).parameters for key, maker in made.items()}
        exposed = [p for key, p in own.items() if key not in made]
        short_ids = {key: mark.kind for key, p in own.items() for mark in _marks(p.annotation)}
        exposed += [p for parameters in needs.values() for p in parameters.values()]

        @functools.wraps(function)
        def run(**options: Any) -> None:
            with ExitStack() as stack:
                try:
                    for key, maker in made.items():
                        value = maker(**{need: options.pop(need) for need in needs[key]})
                        is_client = isinstance(value, SearchClient)
                        options[key] = stack.enter_context(value) if is_client else value
                    for key, kind in short_ids.items():
                        if options[key] is not None:
                            options[key] = whole_id(options["client"], options[key], kind)
                    function(**options)
                except (SearchClientError, ValueError, OSError) as error:
                    fail(error)

        signature = inspect.Signature([p.replace(kind=p.KEYWORD_ONLY) for p in exposed])
        run.__signature__ = signature  # type: ignore[attr-defined]  # what typer reads
        app.command(name, **settings)(run)
        return function

    return decorate


def _marks(annotation: object) -> list[ShortId]:
    return [mark for mark in getattr(annotation, "__metadata__", ()) if isinstance(mark, ShortId)]


def fail(error: Exception) -> NoReturn:
    """Say on stderr what went wrong and leave with the exit status that it deserves."""
    err.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
    is_usage = isinstance(error, ValueError) or (
        isinstance(error, ServerRefusedError) and error.status == 422
    )
    raise typer.Exit(EXIT_USAGE if is_usage else EXIT_FAILED)


def print_json(document: object) -> None:
    """Print one JSON document on stdout."""
    # A client's Records are a tuple of their own kind, which JSON of dataclasses does not know.
    typer.echo(to_json(list(document) if isinstance(document, tuple) else document))


def print_facts(rows: Mapping[str, str | Text]) -> None:
    """Print names and values on stdout, one pair a line."""
    out.print(facts(rows))


def write_file(content: bytes, path: Path | None) -> None:
    """Write a file, or stdout if there is no path."""
    if path is None:
        typer.echo(content, nl=False)
        return
    path.write_bytes(content)
    err.print(f"wrote {len(content):,} bytes to {escape(str(path))}", soft_wrap=True)
