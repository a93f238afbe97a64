"""Is the server alive, can it serve, and what it counts."""

import os
from dataclasses import dataclass

from fastapi import APIRouter, Response
from prometheus_client import generate_latest

from search_server.errors import UnavailableError
from search_server.readiness import require_ready
from search_server.routes.auth import UserDep
from search_server.routes.context import ContextDep, DatabaseDep
from search_server.routes.error_answers import ERROR_RESPONSES
from search_server.routes.transaction_route import TransactionRoute

router = APIRouter(tags=["health"], responses=ERROR_RESPONSES, route_class=TransactionRoute)


@dataclass(frozen=True, slots=True)
class Health:
    """The server answers."""

    status: str = "ok"


@router.get("/healthz")
def healthz() -> Health:
    """Tell that the process is alive; takes no token."""
    return Health()


@router.get("/readyz")
def readyz(database: DatabaseDep, context: ContextDep) -> Health:
    """Tell that the server can serve: it has its database and its data folder; takes no token."""
    if context.stopping.is_set():
        raise UnavailableError("stopping", "the server is being stopped; ask another one, or again later")
    require_ready(database)
    if not os.access(context.data_dir, os.W_OK | os.X_OK):
        raise UnavailableError(
            "no_data_folder",
            "the data folder cannot be written; is its disk mounted, and is it the server's? "
            "'search-server doctor' says more",
        )
    return Health()


@router.get("/metrics", response_class=Response)
def metrics(_: UserDep, context: ContextDep) -> Response:
    """Return figures in the text format of Prometheus."""
    return Response(generate_latest(context.metrics), media_type="text/plain; version=0.0.4; charset=utf-8")
