"""The class of all routes: an endpoint that takes a session runs in one transaction, in one thread.

A transaction that went from thread to thread could hold the database's write lock while it waits for a
free thread, and all threads could wait for that lock: nobody would go on.
"""

from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import wraps
from typing import Any

import structlog
from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from search_server.db.session import begun
from search_server.routes.audited import is_to_write, write_after, write_within
from search_server.routes.body_check import check_request

_LOGGED: Mapping[str, str] = {"job_id": "job", "lease_id": "lease"}
"""Parts of a path that all log lines of the request name."""


class TransactionRoute(APIRoute):
    """A route whose endpoint begins, uses and ends its transaction in the thread that runs it."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, _in_one_transaction(endpoint), **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request; it is checked before FastAPI reads it."""
        handle = super().get_route_handler()
        parameters = frozenset(_query_names(self.dependant))
        bodies = [field.field_info.annotation for field in self.dependant.body_params]

        async def check_and_handle(request: Request) -> Response:
            names = {_LOGGED[name]: value for name, value in request.path_params.items() if name in _LOGGED}
            structlog.contextvars.bind_contextvars(**names)
            await check_request(request, parameters, bodies)
            try:
                response = await handle(request)
            except Exception as error:
                if is_to_write(request, error):
                    await run_in_threadpool(write_after, request, error)
                raise
            if is_to_write(request, None):
                await run_in_threadpool(write_after, request, None)
            return response

        return check_and_handle


def _query_names(dependant: Dependant) -> Iterator[str]:
    """Yield what a route and its dependencies read from the query."""
    yield from (field.alias for field in dependant.query_params)
    for part in dependant.dependencies:
        yield from _query_names(part)


def _in_one_transaction(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    # A router that is included in an app may build its routes again, from endpoints that are wrapped.
    if "session" not in endpoint.__annotations__ or hasattr(endpoint, "__wrapped__"):
        return endpoint

    @wraps(endpoint)
    def run(*, session: Session, **values: Any) -> Any:
        with begun(session):
            answer = endpoint(session=session, **values)
            write_within(session, answer)
            return answer

    return run
