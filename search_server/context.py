"""What the app gives its routes beside a session: the clock, the data folder, limits, the bell."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Header, Request
from prometheus_client import CollectorRegistry

from search_server.profiling.bell import LeaseBell

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Context:
    """Made once per app."""

    data_dir: Path
    bell: LeaseBell
    metrics: CollectorRegistry
    now: Clock = utc_now
    poll_s: float = 1.0
    """How often waiting routes look into the database for what another process wrote."""
    max_queued_jobs: int = 100
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
