"""Ids that were typed in part, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from search_server.profiling.known_ids import known_ids
from search_server.resources.ids import MIN_PART, IdKind, KnownId
from search_server.routes.auth import UserDep
from search_server.routes.error_answers import ERROR_RESPONSES
from search_server.routes.sessions import SessionDep
from search_server.routes.transaction_route import TransactionRoute

router = APIRouter(tags=["ids"], responses=ERROR_RESPONSES, route_class=TransactionRoute)


@router.get("/ids/{part}")
def get_ids(
    _: UserDep,
    part: Annotated[str, Path(min_length=MIN_PART, max_length=64, description="how an id begins or ends")],
    kind: Annotated[IdKind, Query(description="of what; job: of all kinds of jobs")],
    session: SessionDep,
) -> tuple[KnownId, ...]:
    """List the ids that begin or end with a part, the newest first; all other routes take whole ids."""
    return known_ids(session, part, kind)
