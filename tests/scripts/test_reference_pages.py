"""The reference names what the programs offer, and refuses what nobody explains."""

import pytest
import typer

from scripts import reference_pages
from scripts.reference import SETTINGS_PAGE
from scripts.reference_pages import (
    UndocumentedError,
    commands_page,
    python_page,
    rest_page,
    settings_page,
)


def test_every_program_is_described() -> None:
    page = commands_page()
    for words in (
        "### edgenas search submit",
        "`--target-ms`",
        "### search-server serve",
        "### profiler-agent enrol",
    ):
        assert words in page


def test_settings_are_described_as_they_are() -> None:
    written = SETTINGS_PAGE.read_text(encoding="utf-8")
    assert "| `EDGENAS_PORT` | `8000` | The port to listen on. |" in written
    assert written == settings_page(), "run: python -m scripts.reference"


def test_routes_are_described() -> None:
    assert "## POST /api/v1/searches" in rest_page()


def test_the_python_interface_has_signatures() -> None:
    page = python_page()
    assert "## search\n" in page
    assert "devices(self, tag: str | None = None, owner: str | None = None) -> Rows[DeviceResource]" in page


@pytest.mark.parametrize("explained", [False, True])
def test_an_option_without_words_is_refused(monkeypatch: pytest.MonkeyPatch, explained: bool) -> None:
    app = typer.Typer()

    @app.command(help="Paint a wall.")
    def paint(colour: str = typer.Option("red", help="of the wall" if explained else None)) -> None:
        """Only its signature counts."""

    monkeypatch.setattr(reference_pages, "PROGRAMS", {"painter": app})
    if explained:
        assert "| `--colour` | of the wall |" in commands_page()
    else:
        with pytest.raises(UndocumentedError, match="painter `--colour` has no sentence"):
            commands_page()
