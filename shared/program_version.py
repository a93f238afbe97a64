"""``--version`` of the programs."""

from importlib.metadata import PackageNotFoundError, version

import typer
from typer.models import OptionInfo


def installed_version(distribution: str) -> str:
    """Return the installed version of a distribution; ``unknown`` when its code runs uninstalled."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"


def version_option(program: str, distribution: str) -> OptionInfo:
    """Return an eager ``--version`` option, which prints ``program 1.2.3`` and ends."""

    def show(asked: bool) -> None:
        if asked:
            typer.echo(f"{program} {installed_version(distribution)}")
            raise typer.Exit

    option: OptionInfo = typer.Option(
        "--version", callback=show, is_eager=True, help="Print the version and end."
    )
    return option
