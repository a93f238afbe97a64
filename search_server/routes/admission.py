"""Who would only wait is sent away at once: so many requests are at work, the others come again later.

Enrolments and polls for work pass a gate: a few are at work, more wait without a thread, and the rest is
refused. When all agents come back after a restart, people and results still get through. A request has its
place until its answer begins; a poll that waits for work, like an event stream, needs none.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from search_server.errors import UnavailableError
from search_server.routes.error_answers import RETRY_AFTER_S, error_response

MAX_AT_WORK = 200
"""At some 150 requests a second on one core, the last one waits for little more than a second."""
MAX_ARRIVALS = 256
"""Enrolments and polls that are at work or wait."""
MAX_ARRIVING = 20
"""Those at work: half of the server's threads."""

_ARRIVALS = ("/api/v1/agent/lease", "/api/v1/devices")
_ALWAYS = tuple(prefix + path for prefix in ("", "/api/v1") for path in ("/healthz", "/readyz", "/metrics"))


class Place:
    """What a request holds while it is at work."""

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave: Callable[[], None] | None = leave

    def leave(self) -> None:
        """Make room for another one; doing it again changes nothing."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()


class Gate:
    """Lets so many through at a time, in the order in which they came. Of no event loop in particular."""

    def __init__(self, max_inside: int) -> None:
        self._max_inside = max_inside
        self._num_inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def num_here(self) -> int:
        """How many are inside or wait."""
        return self._num_inside + len(self._waiting)

    async def enter(self) -> None:
        """Return when there is room."""
        if self._num_inside < self._max_inside:
            self._num_inside += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting.remove(turn)
            else:  # it was this one's turn already
                self.leave()
            raise

    def leave(self) -> None:
        """Let the next one in."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._num_inside -= 1


class Admission:
    """Middleware around an app."""

    def __init__(
        self,
        app: ASGIApp,
        max_at_work: int = MAX_AT_WORK,
        max_arrivals: int = MAX_ARRIVALS,
        max_arriving: int = MAX_ARRIVING,
    ) -> None:
        self._app = app
        self._max_at_work = max_at_work
        self._max_arrivals = max_arrivals
        self._gate = Gate(max_arriving)
        self._num_at_work = 0
        """Without arrivals."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _ALWAYS:
            await self._app(scope, receive, send)
            return
        is_arrival = scope["method"] == "POST" and scope["path"] in _ARRIVALS
        if not self._has_room(is_arrival):
            await self._refuse(scope, receive, send)
            return
        if is_arrival:
            await self._gate.enter()
            place = Place(self._gate.leave)
        else:
            self._num_at_work += 1
            place = Place(self._end_work)
        scope.setdefault("state", {})["place"] = place

        async def send_and_leave(message: Message) -> None:
            if message["type"] == "http.response.start":
                place.leave()
            await send(message)

        try:
            await self._app(scope, receive, send_and_leave)
        finally:
            place.leave()

    def _end_work(self) -> None:
        self._num_at_work -= 1

    def _has_room(self, is_arrival: bool) -> bool:
        if is_arrival:
            return self._gate.num_here < self._max_arrivals
        return self._num_at_work < self._max_at_work

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = UnavailableError(
            "too_busy", f"the server has too much to do; send the request again in {RETRY_AFTER_S} s"
        )
        await error_response(error.body())(scope, receive, send)


def leave_place(request: Request) -> None:
    """Let others work from now on: this request waits."""
    place: Place = request.state.place
    place.leave()
