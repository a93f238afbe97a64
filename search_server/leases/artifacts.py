"""Model files by SHA-256: the bytes in the data folder, the facts in the database."""

import os
import tempfile
from datetime import datetime
from pathlib import Path

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from search_server.db.models import ArtifactRow, LeaseArtifactRow, LeaseRow
from search_server.errors import NotFoundError
from search_server.model_files.model_file import ModelFile
from shared.protocol.measurement import Artifact


def artifact_path(data_dir: Path, sha256: str) -> Path:
    """Return where the bytes of an artifact lie."""
    return data_dir / "artifacts" / sha256[:2] / sha256


def store_artifact(session: Session, data_dir: Path, model: ModelFile, now: datetime) -> Artifact:
    """Keep a model file; storing the same bytes again changes nothing."""
    artifact = model.artifact()
    path = artifact_path(data_dir, artifact.sha256)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(model.content)
        os.replace(file.name, path)
    if session.get(ArtifactRow, artifact.sha256) is None:
        session.merge(
            ArtifactRow(
                sha256=artifact.sha256,
                size_bytes=artifact.size_bytes,
                format=artifact.format,
                created_at=now,
            )
        )
        session.flush()
    return artifact


def find_artifact(session: Session, data_dir: Path, sha256: str, device_id: str | None) -> Path:
    """Return the file of an artifact; a device sees only what one of its leases names.

    Raises:
        NotFoundError: no such artifact, or not for this device.
    """
    row = session.get(ArtifactRow, sha256)
    if row is None or (device_id is not None and not _is_named(session, sha256, device_id)):
        raise NotFoundError("unknown_artifact", f"no artifact {sha256!r} in a lease of this device")
    return artifact_path(data_dir, row.sha256)


def _is_named(session: Session, sha256: str, device_id: str) -> bool:
    named = (
        exists()
        .where(LeaseArtifactRow.sha256 == sha256)
        .where(LeaseArtifactRow.lease_id == LeaseRow.lease_id, LeaseRow.device_id == device_id)
    )
    return bool(session.scalar(select(named)))
