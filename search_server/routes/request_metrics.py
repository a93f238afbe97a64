"""Figures about requests, counted by route: anybody may invent paths."""

import time
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

API_PREFIX = "/api/v1"
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class RequestFigures:
    """What one app counts of its requests."""

    requests: Counter
    latency: Histogram
    database_failures: Counter

    @classmethod
    def of(cls, registry: CollectorRegistry) -> "RequestFigures":
        """Return new figures that a registry shows."""
        figures = cls(
            Counter("edgenas_http_requests", "Answers", ("method", "route", "status"), registry=registry),
            Histogram(
                "edgenas_http_request_seconds",
                "Time until an answer begins; that of /agent/lease includes the wait for work",
                ("method", "route"),
                buckets=BUCKETS_S,
                registry=registry,
            ),
            Counter(
                "edgenas_database_failures",
                "Requests that the database failed",
                ("failure",),
                registry=registry,
            ),
        )
        for failure in ("busy", "unreachable", "broken"):
            figures.database_failures.labels(failure)
        return figures


class CountRequests:
    """Middleware around an app whose ``state.context.figures`` takes the counts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s = time.monotonic()
        has_begun = False

        def count(status: int) -> None:
            figures: RequestFigures = scope["app"].state.context.figures
            # FastAPI's newer versions name the route without the prefix that its router was included with.
            route = getattr(scope.get("route"), "path", "none").removeprefix(API_PREFIX)
            figures.requests.labels(scope["method"], route, str(status)).inc()
            figures.latency.labels(scope["method"], route).observe(time.monotonic() - began_s)

        async def send_counted(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                count(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        except Exception:
            if not has_begun:
                count(500)  # answered outside of all middleware
            raise
