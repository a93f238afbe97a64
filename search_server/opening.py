"""What every command of the server begins with: its settings, its data folder, its database."""

import difflib
import os
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError
from sqlalchemy.exc import SQLAlchemyError

from search_server.db.migrate import is_at_head, migrate_to_head
from search_server.db.session import Database
from search_server.errors import UnavailableError
from search_server.logs import configure_logs
from search_server.readiness import require_ready
from search_server.settings import Settings

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Folder for database and files (EDGENAS_DATA; default .edgenas)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

PATIENCE_S = 60.0
"""How long a service that starts waits for a database that does not answer yet."""
_ASK_AGAIN_S = 1.0
_log = structlog.get_logger()


def read_settings(data: Path | None, **flags: str | int | Path | None) -> Settings:
    """Return the settings, and log as they say; what is None here comes from elsewhere.

    Raises:
        ValueError: a setting has a value that it cannot have, or a name that no setting has.
    """
    given: dict[str, Any] = {"data": data, **flags}
    _refuse_misspelled(os.environ)
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except (ValidationError, SettingsError, tomllib.TOMLDecodeError) as error:
        raise ValueError(_words(error)) from error
    configure_logs(settings.log_level, settings.log_format)
    return settings


def _words(error: ValidationError | SettingsError | tomllib.TOMLDecodeError) -> str:
    """Return what is wrong with the settings, without repeating values: an address has a password."""
    if isinstance(error, ValidationError):
        by_name = {str(fault["loc"][0]): fault for fault in reversed(error.errors())}
        return "; ".join(_fault_words(name, fault) for name, fault in sorted(by_name.items()))
    if isinstance(error, SettingsError):
        return f'{error}; a setting of several values is written as JSON, such as ["10.0.0.0/8"]'
    return f"edgenas.toml cannot be read: {error}"


def _fault_words(name: str, fault: ErrorDetails) -> str:
    if fault["type"] == "extra_forbidden":
        return f"{name!r} in edgenas.toml is no setting of the server; remove it, or put its name right"
    message = fault["msg"].removeprefix("Value error, ")
    return f"the setting EDGENAS_{name.upper()} is wrong: {message[:1].lower()}{message[1:]}"


def _refuse_misspelled(environment: Mapping[str, str]) -> None:
    """Refuse a name that is nearly a setting: the setting itself would silently keep its default."""
    known = [f"EDGENAS_{name.upper()}" for name in Settings.model_fields]
    for name in sorted(set(environment) - set(known)):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.9)
        if name.startswith("EDGENAS_") and near:
            raise ValueError(f"{name} is no setting of the server; did you mean {near[0]}?")


def open_database(settings: Settings, *, is_migrated: bool = False) -> Database:
    """Return the database at the newest schema, and make the data folder if there is none.

    Args:
        settings: where both are.
        is_migrated: bring the database to the newest schema; SQLite in the data folder is always brought.

    Raises:
        ValueError: the folder cannot be made.
        UnavailableError: the database does not answer, is none, or needs 'search-server migrate'.
    """
    database = open_unmigrated(settings)
    with _usable(settings):
        if is_migrated or (settings.uses_default_database and not is_at_head(database.engine)):
            migrate_to_head(database.engine)
        require_ready(database)
    return database


def await_database(settings: Settings) -> Database:
    """Open the database for a service, and wait for it: on a machine that starts, it may answer last.

    Raises:
        ValueError: the folder cannot be made.
        UnavailableError: the database does not answer for ``PATIENCE_S``, is none, or needs
            'search-server migrate'.
    """
    end_s, is_told = time.monotonic() + PATIENCE_S, False
    while True:
        try:
            return open_database(settings)
        except UnavailableError as error:
            is_server = not settings.url.startswith("sqlite")  # a file comes no later than its machine
            if error.word != "no_database" or not is_server or time.monotonic() >= end_s:
                raise
            if not is_told:
                _log.warning("waiting for the database", longest_s=PATIENCE_S, error=str(error))
            is_told = True
        time.sleep(_ASK_AGAIN_S)


def open_unmigrated(settings: Settings) -> Database:
    """Return the database, whatever is in it, and make the data folder if there is none.

    Raises:
        ValueError: the folder cannot be made.
        UnavailableError: the database does not answer, or is none.
    """
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"the data folder {settings.data} cannot be made ({error.strerror}); name another with --data"
        ) from error
    with _usable(settings):
        database = Database(settings.url)
        database.engine.connect().close()
    return database


@contextmanager
def _usable(settings: Settings) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).strip()
        raise UnavailableError(
            "no_database",
            f"the database cannot be used ({reason}); look at {_database_words(settings)}",
        ) from error


def _database_words(settings: Settings) -> str:
    if settings.uses_default_database:
        return f"the file {settings.data / 'edgenas.db'}"
    return "EDGENAS_DATABASE_URL, such as postgresql://edgenas@localhost/edgenas"
