"""The audit trail over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from search_server.audit import AuditFilter, list_audit
from search_server.resources.audit import AuditEntry
from search_server.resources.page import Page
from search_server.routes.auth import AdminDep
from search_server.routes.context import CursorQuery, LimitQuery
from search_server.routes.error_answers import ERROR_RESPONSES
from search_server.routes.sessions import SessionDep
from search_server.routes.transaction_route import TransactionRoute

router = APIRouter(tags=["audit"], responses=ERROR_RESPONSES, route_class=TransactionRoute)


def _filter(
    user: Annotated[str | None, Query(description="only of this user's tokens")] = None,
    subject: Annotated[str | None, Query(description="only where this is part of the subject")] = None,
    status: Annotated[int | None, Query(ge=0, le=599, description="only with this answer")] = None,
    since: Annotated[AwareDatetime | None, Query(description="ISO 8601 with a zone")] = None,
    until: Annotated[AwareDatetime | None, Query(description="ISO 8601 with a zone")] = None,
) -> AuditFilter:
    return AuditFilter(user, subject, status, since, until)


@router.get("/audit")
def get_audit(
    _: AdminDep,
    wanted: Annotated[AuditFilter, Depends(_filter)],
    session: SessionDep,
    cursor: CursorQuery = None,
    limit: LimitQuery = 100,
) -> Page[AuditEntry]:
    """List changes and refused ones, newest first: who, what, when, from where; for administrators."""
    return list_audit(session, wanted, cursor, limit)
