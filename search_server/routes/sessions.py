"""The session of a request: it finds what its caller may read."""

from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from search_server.db.visibility import restrict
from search_server.routes.audited import attach
from search_server.routes.auth import CallerDep
from search_server.routes.context import DatabaseDep
from search_server.tokens import Caller


def _request_session(request: Request, database: DatabaseDep, caller: CallerDep) -> Session:
    is_reading = request.method in ("GET", "HEAD")
    session = database.reading_sessions() if is_reading else database.sessions()
    restrict_to(session, caller)
    attach(session, request)
    return session


def restrict_to(session: Session, caller: Caller) -> None:
    """Let a session find what a caller may read; devices and administrators are not restricted."""
    if caller.scope == "user":
        restrict(session, caller.owner)


SessionDep = Annotated[Session, Depends(_request_session)]
"""For a parameter called ``session`` of a route that is no coroutine: ``TransactionRoute`` begins and ends
its transaction."""
