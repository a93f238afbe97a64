"""Parameters of ``edgenas search submit``: one for each option of a request, as typer reads them."""

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import typer

from search_server.option_field import Option, options_of


def submit_parameters(target: type) -> list[inspect.Parameter]:
    """Return a parameter for each option of a dataclass that has a place on the command line.

    A flag of earlier days is a parameter of its own: see :func:`without_older`.
    """
    parameters = []
    for option in options_of(target).values():
        if option.older_flag:
            older = replace(option, name=older_name(option), flags=option.older_flag)
            parameters.append(_parameter(older, is_hidden=True))
        if option.flag:
            parameters.append(_parameter(option))
    return parameters


def older_name(option: Option) -> str:
    """Return the name of the parameter that an option's flag of earlier days fills."""
    return f"{option.name}_older"


def without_older(target: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given, by the options' own names, whichever flag it was given with."""
    older = {older_name(option): name for name, option in options_of(target).items() if option.older_flag}
    own = {name: value for name, value in given.items() if name not in older}
    for name, now in older.items():
        own[now] = given[name] if own.get(now) is None else own[now]
    return own


def _parameter(option: Option, is_hidden: bool = False) -> inspect.Parameter:
    kind = str if option.is_count else option.kind
    metavars = {bool: None, int: "N", float: "X"}
    metavar = "N" if option.is_count else option.unit.upper() or metavars.get(kind, "NAME")
    said = typer.Option(
        option.flag,
        hidden=is_hidden,
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
