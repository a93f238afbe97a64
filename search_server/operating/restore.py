"""Bring a backup back: checked as a whole first, then files and database, then the newest schema."""

import tarfile
import tempfile
from pathlib import Path

from search_server.db.migrate import is_known, migrate_to_head
from search_server.db.session import Database
from search_server.errors import ConflictError
from search_server.operating.archive import DATABASE, Manifest, extract, verified_manifest
from search_server.operating.database_copy import has_rows, replace_database, require_program
from search_server.store import Store

_FOLDERS = ("artifacts", "searches")


def restore_backup(database: Database, store: Store, path: Path, *, is_forced: bool = False) -> Manifest:
    """Put a backup in place of what is there and return what it holds.

    Args:
        database: where to; of the kind that the backup is of.
        store: takes the files.
        path: the backup.
        is_forced: give up what is there.

    Raises:
        ValueError: the file is no whole backup, of another kind of database, or of a later version.
        ConflictError: there is something already, and it is not forced.
        UnavailableError: pg_restore or psql is missing or refuses, or the database cannot be replaced; it
            holds what it held before.
    """
    try:
        tar = tarfile.open(path)  # noqa: SIM115 - closed below
    except (OSError, tarfile.TarError) as error:
        raise ValueError(f"{path} cannot be read as a backup ({error}); take another file") from error
    place = store.local_path("")  # where there is room; else where temporary files lie
    if place is not None:
        place.mkdir(parents=True, exist_ok=True)
    with tar, tempfile.TemporaryDirectory(prefix=".restore-", dir=place) as folder:
        try:
            manifest = verified_manifest(tar)
        except tarfile.TarError as error:
            raise ValueError(f"{path} is damaged ({error}); take another file") from error
        _require_fitting(database, manifest)
        if not is_forced:
            _require_empty(database, store)
        for stored in manifest.files:
            extract(tar, stored, Path(folder) / stored.path)
        replace_database(database, Path(folder) / DATABASE)
        for name in _FOLDERS:
            _replace_folder(Path(folder), name, store)
    migrate_to_head(database.engine)
    return manifest


def _require_fitting(database: Database, manifest: Manifest) -> None:
    here = database.engine.name
    if manifest.database != here:
        raise ValueError(
            f"the backup is of {manifest.database}, the database here is {here}; set EDGENAS_DATABASE_URL "
            f"to one of {manifest.database}"
        )
    if not is_known(manifest.migration):
        raise ValueError(
            f"the backup was made by edgenas {manifest.edgenas_version}, whose schema "
            f"{manifest.migration!r} is not known here; install that version or a later one"
        )
    if here == "postgresql":
        for program in ("pg_restore", "psql"):
            require_program(program)


def _require_empty(database: Database, store: Store) -> None:
    full = [f"{store.url}/{name}" for name in _FOLDERS if store.names(name)]
    if has_rows(database):
        full.insert(0, "the database")
    if full:
        raise ConflictError(
            "not_empty",
            f"{' and '.join(full)} would be overwritten; name an empty place with --data and "
            "EDGENAS_DATABASE_URL, or give up what is there with --force",
        )


def _replace_folder(source: Path, name: str, store: Store) -> None:
    store.remove_folder(name)
    for path in sorted(each for each in (source / name).rglob("*") if each.is_file()):
        store.write(path.relative_to(source).as_posix(), path.read_bytes())
        path.unlink()  # so that a disk need not hold everything twice
