"""The class of all routes: an endpoint that takes a session runs in one transaction, in one thread.

A transaction that went from thread to thread could hold the database's write lock while it waits for a
free thread, and all threads could wait for that lock: nobody would go on.
"""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session

from search_server.routes.body_check import check_request


class TransactionRoute(APIRoute):
    """A route whose endpoint begins, uses and ends its transaction in the thread that runs it."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, _in_one_transaction(endpoint), **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request; it is checked before FastAPI reads it."""
        handle = super().get_route_handler()
        bodies = [field.field_info.annotation for field in self.dependant.body_params]

        async def check_and_handle(request: Request) -> Response:
            await check_request(request, bodies)
            return await handle(request)

        return check_and_handle


def _in_one_transaction(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    # A router that is included in an app may build its routes again, from endpoints that are wrapped.
    if "session" not in endpoint.__annotations__ or hasattr(endpoint, "__wrapped__"):
        return endpoint

    @wraps(endpoint)
    def run(*, session: Session, **values: Any) -> Any:
        with session, session.begin():
            return endpoint(session=session, **values)

    return run
