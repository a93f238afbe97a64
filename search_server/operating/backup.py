"""Write a backup while all goes on: the database, and the files that its jobs refer to."""

import shutil
import tempfile
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from search_server.db.models import ArtifactRow, JobRow
from search_server.db.session import Database
from search_server.jobs.registry import ENDED, UNFINISHED
from search_server.leases.artifacts import artifact_path
from search_server.operating.archive import (
    DATABASE,
    ArchiveWriter,
    Manifest,
    finish_archive,
    written_archive,
)
from search_server.operating.database_copy import copied_database


def write_backup(database: Database, data_dir: Path, path: Path, now: datetime) -> Manifest:
    """Write a backup and return what is in it.

    A search that runs is copied before the database: its checkpoint is then as old as the steps that the
    database knows or older, as after a crash, and the search goes on from there. The files of ended
    searches and of artifacts are copied behind the database, so that nothing it names is missing.

    Args:
        database: may be written to meanwhile.
        data_dir: the server's data folder.
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
        early, copy = Path(folder) / "searches", Path(folder) / DATABASE
        _copy_running(database, data_dir / "searches", early)
        with copied_database(database, copy) as session:
            writer.add(copy, DATABASE)
            missing = _add_artifacts(session, writer, data_dir)
            _add_searches(session, writer, data_dir / "searches", early)
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


def _copy_running(database: Database, searches: Path, target: Path) -> None:
    with database.reading() as session:
        unfinished = select(JobRow.job_id).where(JobRow.kind == "search", JobRow.status.in_(UNFINISHED))
        job_ids = session.scalars(unfinished).all()
    for job_id in job_ids:
        for source in _files(searches / job_id):
            copy = target / source.relative_to(searches)
            copy.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(source, copy)
            except FileNotFoundError:
                continue  # a file that was still being written has got its name meanwhile


def _add_artifacts(session: Session, writer: ArchiveWriter, data_dir: Path) -> list[str]:
    """Add all model files; return the names of those that are not there."""
    paths = [artifact_path(data_dir, sha256) for sha256 in session.scalars(select(ArtifactRow.sha256))]
    names = {path: path.relative_to(data_dir).as_posix() for path in paths}
    return [name for path, name in names.items() if not writer.add(path, name)]


def _add_searches(session: Session, writer: ArchiveWriter, searches: Path, early: Path) -> None:
    jobs = session.execute(select(JobRow.job_id, JobRow.status).where(JobRow.kind == "search")).all()
    for job_id, status in jobs:
        root = searches if status in ENDED else early
        for source in _files(root / job_id):
            writer.add(source, f"searches/{source.relative_to(root).as_posix()}")


def _files(folder: Path) -> Sequence[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _database_version(session: Session) -> str:
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    return str(session.scalar(text("SELECT sqlite_version()" if is_sqlite else "SHOW server_version")))
