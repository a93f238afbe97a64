"""Pages of the reference that the code tells: commands, settings, REST routes, the Python interface.

Whatever has no words is refused, so that nothing is offered that no page explains.
"""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup, TyperOption

import edgenas
from profiler_agent.__main__ import app as agent_app
from search_server.__main__ import command_line
from search_server.app import create_app
from search_server.client.cli import app as client_app
from search_server.settings import Settings

PROGRAMS = {"edgenas": client_app, "search-server": command_line(), "profiler-agent": agent_app}
TABLE = "| {} | {} |"
_MODULES = re.compile(r"\b(?:[a-z_]+\.)+(?=[A-Z])")
"""What stands before the name of a class in a signature."""

SETTINGS_HEAD = """\
# Settings of the server

A setting is taken from the first that has it: a flag of `search-server`, the variable named here, the file
`edgenas.toml` of the working folder (key: the name without `EDGENAS_`, in small letters), the default.
`python -m scripts.reference` writes this page from the fields of `Settings`.

| variable | default | what it is |
|---|---|---|"""

PYTHON_HEAD = """\
# Python

`from edgenas import NAME` gives what this page names, and loads no more than the name needs. `help(NAME)`
prints the same.
"""

REST_HEAD = """\
# REST

All routes are under `/api/v1` and take `Authorization: Bearer TOKEN`. `/docs` of a running server shows
bodies and answers in full; `/openapi.json` is the document itself.
"""


class UndocumentedError(Exception):
    """A command, option, setting or route without a sentence that says what it is for."""


def commands_page() -> str:
    """Return each command with its arguments and options.

    Raises:
        UndocumentedError: if a command or option has no help.
    """
    parts = ["# Commands", "", "`COMMAND --help` prints the same."]
    for name, program in PROGRAMS.items():
        parts += ["", f"## {name}"]
        for path, command in _commands(name, typer.main.get_command(program)):
            parts += ["", f"### {path}", "", _said(path, command.help), ""]
            rows = [_parameter(path, each) for each in command.params if each.name != "help"]
            parts += ["| argument or option | what it is |", "|---|---|", *rows] if rows else []
    return "\n".join(parts) + "\n"


def _commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(command, TyperGroup):
        yield path, command
        return
    for name, child in command.commands.items():
        if not child.hidden:
            yield from _commands(f"{path} {name}", child)


def _parameter(path: str, parameter: Any) -> str:
    if isinstance(parameter, TyperOption):
        name = ", ".join(f"`{each}`" for each in (*parameter.opts, *parameter.secondary_opts))
    else:
        name = f"`{(parameter.metavar or parameter.name or '').upper()}`"
    return TABLE.format(name, _cell(_said(f"{path} {name}", getattr(parameter, "help", None))))


def settings_page() -> str:
    """Return each setting of the server with its default.

    Raises:
        UndocumentedError: if a setting has no sentence.
    """
    rows = []
    for name, field in Settings.model_fields.items():
        variable = f"EDGENAS_{name.upper()}"
        default = "" if field.default in (None, ()) else f"`{field.default}`"
        rows.append(f"| `{variable}` | {default} | {_cell(_said(variable, field.description))} |")
    return "\n".join([SETTINGS_HEAD, *rows]) + "\n"


def rest_page() -> str:
    """Return each route with its parameters and answers.

    Raises:
        UndocumentedError: if a route has no description.
    """
    document = create_app(Settings()).openapi()
    parts = [REST_HEAD]
    for path, operations in sorted(document["paths"].items()):
        for method, operation in operations.items():
            parts.append(_route(f"{method.upper()} {path}", operation))
    return "\n".join(parts)


def python_page() -> str:
    """Return what ``import edgenas`` offers, and the methods of the client.

    Raises:
        UndocumentedError: if a name or a method has no docstring.
    """
    parts = [PYTHON_HEAD]
    for name in edgenas.__all__:
        thing = getattr(edgenas, name)
        parts.append(_python_thing(f"## {name}", name, thing))
    parts.append("## Methods of SearchClient\n\nThose of AsyncSearchClient are the same, to be awaited.\n")
    for name, function in vars(edgenas.SearchClient).items():
        if callable(function) and not name.startswith("_"):
            parts.append(_python_thing(f"### {name}", name, function))
    return "\n".join(parts)


def _python_thing(title: str, name: str, thing: Any) -> str:
    signature = str(inspect.signature(thing)).replace("~", "")
    words = inspect.cleandoc(_said(name, inspect.getdoc(thing)))
    return f"{title}\n\n```python\n{name}{_MODULES.sub('', signature)}\n```\n\n{_sections(words)}\n"


def _sections(words: str) -> str:
    """Return a docstring as Markdown: its lists of arguments and errors as they are indented."""
    text = words.replace("``", "`")
    text = re.sub(r":(?:class|func|mod):`~?([^`]+)`", r"`\1`", text)
    return re.sub(r"^(Args|Raises|Yields|Returns):$", r"**\1**\n", text, flags=re.MULTILINE)


def _route(title: str, operation: dict[str, Any]) -> str:
    words = _said(title, operation.get("description"))
    rows = [
        f"| `{each['name']}` | {each['in']} | {_cell(each.get('description', ''))} |"
        for each in operation.get("parameters", [])
    ]
    table = "\n".join(["", "| parameter | in | what it is |", "|---|---|---|", *rows]) if rows else ""
    return f"\n## {title}\n\n{words}\n{table}\n\nAnswers: {', '.join(sorted(operation['responses']))}.\n"


def _said(what: str, words: str | None) -> str:
    if not words:
        raise UndocumentedError(f"{what} has no sentence that says what it is for")
    return words.strip()


def _cell(words: str) -> str:
    """Return words as a cell of a table: one line, bars escaped."""
    return " ".join(words.replace("``", "`").replace("|", "\\|").split())
