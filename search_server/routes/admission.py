"""Who would only wait is sent away at once: so many requests are at work, the others come again later.

Enrolments and polls for work have a smaller share: when all agents come back after a restart, people and
results still get through. A request has its place until its answer begins; a poll that waits for work, like
an event stream, needs none.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from search_server.errors import UnavailableError
from search_server.routes.error_answers import RETRY_AFTER_S, error_response

MAX_AT_WORK = 200
"""At some 150 requests a second on one core, the last one waits for little more than a second."""
MAX_ARRIVALS = 64
"""Enrolments and polls among them. The server has 40 threads."""

_ARRIVALS = ("/api/v1/agent/lease", "/api/v1/devices")
_ALWAYS = tuple(prefix + path for prefix in ("", "/api/v1") for path in ("/healthz", "/readyz", "/metrics"))

_log = structlog.get_logger()


class Place:
    """One of the places of an :class:`Admission`."""

    def __init__(self, admission: "Admission", *, is_arrival: bool) -> None:
        self._admission = admission
        self._is_arrival = is_arrival
        self._is_taken = False

    def take(self) -> None:
        """Count among those at work."""
        self._set(is_taken=True)

    def leave(self) -> None:
        """Make room for another one; doing it again changes nothing."""
        self._set(is_taken=False)

    def _set(self, *, is_taken: bool) -> None:
        change = is_taken - self._is_taken
        self._is_taken = is_taken
        self._admission.num_at_work += change
        self._admission.num_arrivals += change * self._is_arrival


class Admission:
    """Middleware around an app."""

    def __init__(
        self, app: ASGIApp, max_at_work: int = MAX_AT_WORK, max_arrivals: int = MAX_ARRIVALS
    ) -> None:
        self._app = app
        self._max_at_work = max_at_work
        self._max_arrivals = max_arrivals
        self._is_full = False
        self.num_at_work = 0
        self.num_arrivals = 0
        """Those of them that enrol or ask for work."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _ALWAYS:
            await self._app(scope, receive, send)
            return
        is_arrival = scope["method"] == "POST" and scope["path"] in _ARRIVALS
        if self._has_no_room(is_arrival):
            await self._refuse(scope, receive, send)
            return
        place = Place(self, is_arrival=is_arrival)
        scope.setdefault("state", {})["place"] = place

        async def send_and_leave(message: Message) -> None:
            if message["type"] == "http.response.start":
                place.leave()
            await send(message)

        place.take()
        try:
            await self._app(scope, receive, send_and_leave)
        finally:
            place.leave()

    def _has_no_room(self, is_arrival: bool) -> bool:
        was_full = self._is_full
        self._is_full = self.num_at_work >= self._max_at_work or (
            is_arrival and self.num_arrivals >= self._max_arrivals
        )
        if self._is_full and not was_full:
            _log.warning("more requests than places; some come again later", at_work=self.num_at_work)
        return self._is_full

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = UnavailableError(
            "too_busy",
            f"{self.num_at_work} requests are at work already; send this one again in {RETRY_AFTER_S} s",
        )
        await error_response(error.body())(scope, receive, send)


@contextmanager
def place_left(request: Request) -> Iterator[None]:
    """Let others work while this request waits."""
    place: Place = request.state.place
    place.leave()
    try:
        yield
    finally:
        place.take()
