"""Model files by SHA-256: the bytes in the store, the facts in the database."""

from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from search_server.db.models import ArtifactRow, LeaseArtifactRow, LeaseRow
from search_server.errors import NotFoundError
from search_server.model_files.model_file import ModelFile
from search_server.store import Store
from shared.protocol.measurement import Artifact


def artifact_name(sha256: str) -> str:
    """Return what the bytes of an artifact are called in the store."""
    return f"artifacts/{sha256[:2]}/{sha256}"


def store_artifact(session: Session, store: Store, model: ModelFile, now: datetime) -> Artifact:
    """Keep a model file; storing the same bytes again changes nothing."""
    artifact = model.artifact()
    if not store.has(artifact_name(artifact.sha256)):
        store.write(artifact_name(artifact.sha256), model.content)
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


def find_artifact(session: Session, sha256: str, device_id: str | None) -> str:
    """Return the name of an artifact in the store; a device sees only what one of its leases names.

    Raises:
        NotFoundError: no such artifact, or not for this device.
    """
    row = session.get(ArtifactRow, sha256)
    if row is None or (device_id is not None and not _is_named(session, sha256, device_id)):
        raise NotFoundError("unknown_artifact", f"no artifact {sha256!r} in a lease of this device")
    return artifact_name(row.sha256)


def _is_named(session: Session, sha256: str, device_id: str) -> bool:
    named = (
        exists()
        .where(LeaseArtifactRow.sha256 == sha256)
        .where(LeaseArtifactRow.lease_id == LeaseRow.lease_id, LeaseRow.device_id == device_id)
    )
    return bool(session.scalar(select(named)))
