"""Models under their names: checked, stored by hash, listed, found, removed."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.ids import new_id
from search_server.db.models import SHARED, ArtifactRow, LeaseArtifactRow, LeaseRow, ModelRow
from search_server.db.paging import fetch_page
from search_server.db.visibility import SEES_ALL
from search_server.errors import ConflictError, InvalidValueError, NotFoundError, refusing_values
from search_server.leases.artifacts import artifact_name, store_artifact
from search_server.model_files.model_file import ModelFile
from search_server.own_models.onnx_check import onnx_facts
from search_server.own_models.tflite_check import tflite_facts
from search_server.resources.models import MAX_MODEL_BYTES, Model, ModelCreate, ModelFacts, ModelFormat
from search_server.resources.page import Page
from search_server.store import Store
from shared.protocol.wire import from_dict, to_dict

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_create(create: ModelCreate) -> None:
    """Accept what a caller says of a file before the file is looked at.

    Raises:
        InvalidValueError: no model can have the name, or the size.
    """
    with refusing_values("body.name"):
        if not _NAME.fullmatch(create.name):
            raise ValueError(
                f"a model cannot be called {create.name[:101]!r}: a name has 1 to 100 letters, digits and "
                "'.', '_', '-', and begins with a letter or digit; choose one with --name"
            )
    with refusing_values("body.size_bytes"):
        if not 1 <= create.size_bytes <= MAX_MODEL_BYTES:
            raise ValueError(f"size_bytes must lie in 1..{MAX_MODEL_BYTES:,}, got {create.size_bytes:,}")


def checked_facts(model_format: ModelFormat, content: bytes) -> ModelFacts:
    """Return what a file says of itself; it takes seconds for a large one, and touches no database.

    Raises:
        InvalidValueError: the file is refused.
    """
    try:
        return onnx_facts(content) if model_format == "onnx" else tflite_facts(content)
    except ValueError as error:
        raise InvalidValueError("refused_model", str(error)) from error


def add_model(
    session: Session,
    store: Store,
    create: ModelCreate,
    content: bytes,
    facts: ModelFacts,
    now: datetime,
    owner: str = SHARED,
) -> Model:
    """Keep a checked file under a name; doing it again changes nothing.

    Raises:
        ConflictError: another file has the name.
    """
    named = _present(session, ModelRow.name == create.name)
    if named is not None:
        if named.sha256 == create.sha256:
            return model_resource(session, named)
        raise ConflictError(
            "name_taken",
            f"another file is called {create.name!r}; choose another name, or remove that model first",
        )
    store_artifact(session, store, ModelFile(create.format, content), now)
    row = ModelRow(
        model_id=new_id("model", now),
        name=create.name,
        owner=owner,
        sha256=create.sha256,
        facts=to_dict(facts),
        created_at=now,
    )
    session.add(row)
    session.flush()
    return model_resource(session, row)


def stored_content(session: Session, store: Store, sha256: str) -> bytes | None:
    """Return the bytes of a model's file that has come before; None if it must come again."""
    if _present(session, ModelRow.sha256 == sha256) is None:
        return None
    name = artifact_name(sha256)
    return store.read(name) if store.has(name) else None


def find_model(session: Session, id_or_name: str) -> ModelRow:
    """Return a model that is not removed, by name, id or SHA-256.

    Raises:
        NotFoundError: there is none; the message lists those that exist.
    """
    for column in (ModelRow.name, ModelRow.model_id, ModelRow.sha256):
        row = _present(session, column == id_or_name)
        if row is not None:
            return row
    names = list(session.scalars(select(ModelRow.name).where(ModelRow.removed_at.is_(None)).limit(20)))
    known = f"the models are {', '.join(sorted(names))}" if names else "there is none yet"
    raise NotFoundError(
        "unknown_model", f"no model {id_or_name!r}; {known}. 'edgenas model add FILE' adds one"
    )


def list_models(session: Session, cursor: str | None, limit: int, owner: str | None = None) -> Page[Model]:
    """Return the models that are not removed, newest first."""
    present = select(ModelRow).where(ModelRow.removed_at.is_(None))
    if owner is not None:
        present = present.where(ModelRow.owner == owner)
    rows, next_cursor = fetch_page(session, present, ModelRow.model_id, cursor, limit)
    return Page(tuple(model_resources(session, rows)), next_cursor)


def model_names(session: Session, model_ids: Collection[str]) -> dict[str, str]:
    """Return the names of models, removed ones too, by id."""
    statement = select(ModelRow.model_id, ModelRow.name).where(ModelRow.model_id.in_(model_ids))
    return dict(session.execute(statement).all())


def remove_model(session: Session, store: Store, row: ModelRow, now: datetime) -> None:
    """Take a model off the list, and its file from the store unless something else needs it.

    Raises:
        ConflictError: it is being measured.
    """
    unfinished = (
        select(LeaseRow.job_id)
        .join(LeaseArtifactRow, LeaseArtifactRow.lease_id == LeaseRow.lease_id)
        .where(LeaseArtifactRow.sha256 == row.sha256, LeaseRow.status.in_(("pending", "leased")))
    )
    job_id = session.scalar(unfinished.limit(1), execution_options=SEES_ALL)
    if job_id is not None:
        raise ConflictError(
            "model_in_use", f"job {job_id} measures model {row.name!r}; wait until it is done, or cancel it"
        )
    row.removed_at = now
    session.flush()
    artifact = session.get_one(ArtifactRow, row.sha256)
    is_only_here = artifact.created_at >= row.created_at  # else a search or a measurement had it before
    if is_only_here and _present(session, ModelRow.sha256 == row.sha256) is None:
        store.remove(artifact_name(row.sha256))


def model_resource(session: Session, row: ModelRow) -> Model:
    """Return a model as routes answer it."""
    return model_resources(session, (row,))[0]


def model_resources(session: Session, rows: Sequence[ModelRow]) -> list[Model]:
    """Return models as routes answer them."""
    hashes = {row.sha256 for row in rows}
    artifacts = session.scalars(select(ArtifactRow).where(ArtifactRow.sha256.in_(hashes)))
    by_hash = {artifact.sha256: artifact for artifact in artifacts}
    return [_model(row, by_hash[row.sha256]) for row in rows]


def _model(row: ModelRow, artifact: ArtifactRow) -> Model:
    assert artifact.format in ("onnx", "tflite"), "no other files are brought"
    return Model(
        model_id=row.model_id,
        name=row.name,
        format=artifact.format,
        sha256=row.sha256,
        size_bytes=artifact.size_bytes,
        facts=from_dict(row.facts, ModelFacts),
        created_at=row.created_at.isoformat(),
        owner=row.owner,
    )


def _present(session: Session, condition: object) -> ModelRow | None:
    statement = select(ModelRow).where(ModelRow.removed_at.is_(None), condition)  # type: ignore[arg-type]
    return session.scalar(statement.order_by(ModelRow.model_id).limit(1))
