"""Write a backup while all goes on: the database, and the files that its jobs refer to."""

import tempfile
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from search_server.db.models import ArtifactRow, JobRow
from search_server.db.session import Database
from search_server.jobs.registry import ENDED, UNFINISHED
from search_server.leases.artifacts import artifact_name
from search_server.operating.archive import (
    DATABASE,
    ArchiveWriter,
    Manifest,
    finish_archive,
    written_archive,
)
from search_server.operating.database_copy import copied_database
from search_server.searches.searches import job_folder
from search_server.store import Store


def write_backup(database: Database, store: Store, path: Path, now: datetime) -> Manifest:
    """Write a backup and return what is in it.

    A search that runs is copied before the database: its checkpoint is then as old as the steps that the
    database knows or older, as after a crash, and the search goes on from there. The files of ended
    searches and of artifacts are copied behind the database, so that nothing it names is missing.

    Args:
        database: may be written to meanwhile.
        store: what jobs left.
        path: the file to write; there must be none.
        now: the time.

    Raises:
        ValueError: the file exists, or cannot be written.
        UnavailableError: pg_dump is missing, or refuses.
    """
    with (
        written_archive(path) as writer,
        tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.absolute().parent) as folder,
    ):
        early, copy = Store.at(Path(folder)), Path(folder) / DATABASE
        _copy_running(database, store, early)
        with copied_database(database, copy) as session:
            writer.add(copy, DATABASE)
            missing = _add_artifacts(session, writer, store)
            _add_searches(session, writer, store, early)
            manifest = Manifest(
                made_at=now.isoformat(),
                edgenas_version=version("edgenas"),
                database=database.engine.name,
                database_version=_database_version(session),
                migration=MigrationContext.configure(session.connection()).get_current_revision() or "",
                files=tuple(writer.files),
                missing=tuple(missing),
            )
        finish_archive(writer, manifest)
    return manifest


def _copy_running(database: Database, store: Store, target: Store) -> None:
    with database.reading() as session:
        unfinished = select(JobRow.job_id).where(JobRow.kind == "search", JobRow.status.in_(UNFINISHED))
        job_ids = session.scalars(unfinished).all()
    for job_id in job_ids:
        for name in store.names(job_folder(job_id)):
            target.write(name, store.read(name))


def _add_artifacts(session: Session, writer: ArchiveWriter, store: Store) -> list[str]:
    """Add all model files; return the names of those that are not there."""
    names = [artifact_name(sha256) for sha256 in session.scalars(select(ArtifactRow.sha256))]
    return [name for name in names if not _add(writer, store, name)]


def _add_searches(session: Session, writer: ArchiveWriter, store: Store, early: Store) -> None:
    jobs = session.execute(select(JobRow.job_id, JobRow.status).where(JobRow.kind == "search")).all()
    for job_id, status in jobs:
        source = store if status in ENDED else early
        for name in source.names(job_folder(job_id)):
            _add(writer, source, name)


def _add(writer: ArchiveWriter, store: Store, name: str) -> bool:
    """Take a file of the store in; False if there is none (any more)."""
    path = store.local_path(name)
    if path is not None:
        return writer.add(path, name)
    try:
        writer.add_content(store.read(name), name)
    except FileNotFoundError:
        return False
    return True


def _database_version(session: Session) -> str:
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    return str(session.scalar(text("SELECT sqlite_version()" if is_sqlite else "SHOW server_version")))
