"""Models of one's own over HTTP: sent in parts, checked, listed, removed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from search_server.own_models.parts import part_path, received_bytes, whole_file, write_part
from search_server.own_models.stored_models import (
    add_model,
    check_create,
    checked_facts,
    find_model,
    list_models,
    model_resource,
    remove_model,
    stored_content,
)
from search_server.resources.models import Model, ModelCreate, ModelUpload
from search_server.resources.page import Page
from search_server.routes.auth import UserDep
from search_server.routes.context import (
    ContextDep,
    CursorQuery,
    DatabaseDep,
    LimitQuery,
    NowDep,
    SessionDep,
)
from search_server.routes.error_answers import ERROR_RESPONSES
from search_server.routes.tables import raw_body
from search_server.routes.transaction_route import TransactionRoute

router = APIRouter(tags=["models"], responses=ERROR_RESPONSES, route_class=TransactionRoute)


@router.get("/models/uploads/{sha256}")
def get_upload(_: UserDep, sha256: str, session: SessionDep, context: ContextDep) -> ModelUpload:
    """Return how much of a file is there: the next part begins at ``received_bytes``."""
    received = received_bytes(context.data_dir, sha256)
    return ModelUpload(sha256, received, stored_content(session, context.data_dir, sha256) is not None)


@router.put(
    "/models/uploads/{sha256}",
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {}}}},
)
def put_part(
    _: UserDep,
    sha256: str,
    context: ContextDep,
    content: Annotated[bytes, Depends(raw_body)],
    offset: Annotated[int, Query(ge=0, description="where in the file this part begins")] = 0,
) -> ModelUpload:
    """Take in a part of a file that is named by the SHA-256 of all its bytes."""
    return ModelUpload(sha256, write_part(context.data_dir, sha256, offset, content))


@router.post("/models", status_code=201)
def create_model(
    _: UserDep, create: ModelCreate, database: DatabaseDep, context: ContextDep, now: NowDep
) -> Model:
    """Check a file whose parts have all been sent, without running it, and keep it under a name."""
    check_create(create)
    path = part_path(context.data_dir, create.sha256)
    with database.reading() as session:
        content = stored_content(session, context.data_dir, create.sha256)
    if content is None:
        content = whole_file(context.data_dir, create.sha256, create.size_bytes)
    facts = checked_facts(create.format, content)
    with database.transaction() as session:
        model = add_model(session, context.data_dir, create, content, facts, now)
    path.unlink(missing_ok=True)
    return model


@router.get("/models")
def get_models(
    _: UserDep, session: SessionDep, cursor: CursorQuery = None, limit: LimitQuery = 50
) -> Page[Model]:
    """List models, newest first."""
    return list_models(session, cursor, limit)


@router.get("/models/{model}")
def get_model(_: UserDep, model: str, session: SessionDep) -> Model:
    """Return one model, by name, id or SHA-256."""
    return model_resource(session, find_model(session, model))


@router.delete("/models/{model}", status_code=204)
def delete_model(_: UserDep, model: str, session: SessionDep, context: ContextDep, now: NowDep) -> None:
    """Take a model off the list, and its file from the disk; its measurements stay."""
    remove_model(session, context.data_dir, find_model(session, model), now)
