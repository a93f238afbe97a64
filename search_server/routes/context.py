"""What the app gives its routes beside a session: the clock, the data folder, limits, the bell."""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Header, Query, Request
from prometheus_client import CollectorRegistry

from search_server.clock import Clock, utc_now
from search_server.data_roots import NO_ROOTS, DataRoots
from search_server.db.session import Database
from search_server.leases.bell import LeaseBell
from search_server.operating.collector import HouseBook
from search_server.rates import RateLimit
from search_server.routes.request_metrics import RequestFigures
from search_server.routes.shared_looks import SharedLooks
from search_server.store import Store


@dataclass(frozen=True, slots=True)
class Context:
    """Made once per app."""

    data_dir: Path
    store: Store
    """What jobs leave: model files, checkpoints, exports."""
    bell: LeaseBell
    metrics: CollectorRegistry
    figures: RequestFigures
    """Those of ``metrics`` that count requests."""
    house: HouseBook = field(default_factory=HouseBook)
    looks: SharedLooks = field(default_factory=SharedLooks)
    """At jobs that are watched."""
    now: Clock = utc_now
    poll_s: float = 1.0
    """How often waiting routes look into the database for what another process wrote."""
    max_queued_jobs: int = 100
    requests: RateLimit = field(default_factory=lambda: RateLimit(0, 60))
    """Of each user token."""
    imports: RateLimit = field(default_factory=lambda: RateLimit(0, 3600))
    """Bytes of each user."""
    data_roots: DataRoots = NO_ROOTS
    """Where the images of searches may lie."""
    teachers: tuple[str, ...] = ()
    """Functions that searches may take a teacher from, as ``MODULE:FUNCTION``."""
    public_url: str | None = None
    """The address by which devices reach this server, if an operator set one."""
    retention: timedelta | None = None
    """How old samples become before only their summaries are kept."""
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when the server shuts down: long polls and event streams end, and their callers come again."""


def _request_context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


ContextDep = Annotated[Context, Depends(_request_context)]


def _request_time(context: ContextDep) -> datetime:
    return context.now()


NowDep = Annotated[datetime, Depends(_request_time)]
"""The time at which the request arrived."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        description="the same key with the same body answers the job that the first request made",
    ),
]


def request_database(request: Request) -> Database:
    """Return the database of the app that serves a request."""
    database: Database = request.app.state.database
    return database


DatabaseDep = Annotated[Database, Depends(request_database)]


CursorQuery = Annotated[str | None, Query(description="`next_cursor` of the page before")]
LimitQuery = Annotated[int, Query(ge=1, le=500, description="most rows to answer")]
