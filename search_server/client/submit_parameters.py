"""Parameters of ``edgenas search submit``: one for each option of a request, as typer reads them."""

import inspect
from typing import Annotated

import typer

from search_server.option_field import Option, options_of


def submit_parameters(target: type) -> list[inspect.Parameter]:
    """Return a parameter for each option of a dataclass that has a place on the command line."""
    return [_parameter(option) for option in options_of(target).values() if option.flag]


def _parameter(option: Option) -> inspect.Parameter:
    kind = str if option.is_count else option.kind
    metavars = {bool: None, int: "N", float: "X"}
    metavar = "N" if option.is_count else option.unit.upper() or metavars.get(kind, "NAME")
    said = typer.Option(
        *option.flag.split(),
        help=f"{option.help}{_note(option)}",
        metavar=metavar,
        rich_help_panel=None if option.group == "Options" else option.group,
    )
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, said],
    )


def _note(option: Option) -> str:
    """Return choices, limits and default in brackets, as far as there are any."""
    default = {True: "yes", False: "no"}.get(option.default) if option.kind is bool else option.default
    words = [", ".join(option.choices), str(option.limits), "" if default is None else f"default {default}"]
    return f" ({'; '.join(filter(None, words))})" if any(words) else ""
