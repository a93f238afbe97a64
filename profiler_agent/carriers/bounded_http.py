"""The agent's HTTP connections are few and end by themselves, whoever opens them and whatever he sends.

uvicorn alone waits for ever for the rest of a request's head and body, on any number of connections.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 32
MAX_HEAD_BYTES = 16 << 10
HEAD_S = 10.0
"""A request's head is whole so long after the connection, or after the answer before it."""
REST_S = 10.0
"""So long after an answer the rest of a body that nobody reads any more has ended."""
BODY_IDLE_S = 30.0
"""Two pieces of a body lie no further apart."""


class BoundedProtocol(H11Protocol):
    """One connection, which the agent closes if the client owes it something for too long."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._owed: str | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Start the timer when the client begins to owe something; each piece of a body starts it anew."""
        owed = self._what_is_owed()
        if owed != self._owed or owed == "body":
            self._stop_timer()
            if owed is not None and not self.transport.is_closing():
                seconds = {"head": HEAD_S, "body": BODY_IDLE_S, "rest": REST_S}
                self._timer = self.loop.call_later(seconds[owed], self.transport.abort)
        self._owed = owed

    def _what_is_owed(self) -> str | None:
        if self.conn.their_state is h11.IDLE:
            return "head"
        if self.conn.their_state is h11.SEND_BODY:
            return "rest" if self.cycle.response_complete else "body"
        return None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
