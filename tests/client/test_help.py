"""The help of every command teaches with an example."""

from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

from search_server.client.cli import app


def _commands(typer_app: typer.Typer, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for command in typer_app.registered_commands:
        yield (*path, command.name or "")
    for group in typer_app.registered_groups:
        assert group.typer_instance is not None
        yield from _commands(group.typer_instance, (*path, group.name or ""))


@pytest.mark.parametrize("path", list(_commands(app)), ids=" ".join)
def test_every_command_has_an_example_that_names_it(path: tuple[str, ...]) -> None:
    answer = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"})
    assert answer.exit_code == 0
    assert f"Example: edgenas {' '.join(path)}" in answer.stdout


def test_the_promised_commands_exist() -> None:
    assert {" ".join(path) for path in _commands(app)} == {
        "devices list",
        "devices add",
        "devices show",
        "devices tag",
        "devices call",
        "jobs rename",
        "devices rotate",
        "devices upgrade",
        "devices remove",
        "profile",
        "predict",
        "measure",
        "tables list",
        "tables show",
        "tables diff",
        "tables networks",
        "tables check",
        "tables recalibrate",
        "tables export",
        "tables import",
        "samples cell",
        "samples cells",
        "samples export",
        "model add",
        "model list",
        "model show",
        "model remove",
        "model measure",
        "model gate",
        "model compare",
        "model export",
        "audit",
        "architecture show",
        "architecture count",
        "architecture onnx",
        "search submit",
        "search list",
        "search show",
        "search watch",
        "search cancel",
        "search resume",
        "search export",
        "search front",
        "search retarget",
        "data check",
        "data list",
        "login",
        "logout",
    }
