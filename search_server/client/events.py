"""Server-sent events without the network: lines in, resources out, and when to connect again.

Source: the event-stream format of the HTML standard, section 9.2.
"""

import time
from collections.abc import Mapping
from typing import Generic, TypeVar

from search_server.client.errors import ServerUnreachableError
from shared.protocol.wire import from_json

T = TypeVar("T")


class EventReader(Generic[T]):
    """Reads one stream over any number of connections.

    ``kinds`` gives the type of each event name; events of other names are passed over, so that a newer
    server can send more. After each lost connection :meth:`pause_s` tells how long to wait.
    """

    def __init__(self, url: str, kinds: Mapping[str, type[T]], patience_s: float) -> None:
        self._url = url
        self._kinds = kinds
        self._patience_s = patience_s
        self._silent_since_s: float | None = None
        self._num_failures = 0
        self._last_id = ""
        self._name = ""
        self._data: list[str] = []

    @property
    def headers(self) -> dict[str, str]:
        """What a connection must send to go on after the last event that arrived."""
        headers = {"Accept": "text/event-stream"}
        if self._last_id:
            headers["Last-Event-ID"] = self._last_id
        return headers

    def feed(self, line: str) -> T | None:
        """Take one line without its end; return the event that it completes, if any.

        Raises:
            WireError: the event's data do not have the form of its type.
        """
        self._silent_since_s = None
        self._num_failures = 0
        if not line:
            return self._complete()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        elif field == "id":
            self._last_id = value
        return None

    def pause_s(self, reason: str) -> float:
        """Return the seconds to wait before the next connection; doubles up to 10 s.

        Raises:
            ServerUnreachableError: the connection has been lost for longer than the patience.
        """
        self._name, self._data = "", []
        now_s = time.monotonic()
        if self._silent_since_s is None:
            self._silent_since_s = now_s
        if now_s - self._silent_since_s >= self._patience_s:
            raise ServerUnreachableError(self._url, reason)
        self._num_failures += 1
        return min(10.0, 0.25 * 2.0**self._num_failures)

    def _complete(self) -> T | None:
        name, data = self._name or "message", "\n".join(self._data)
        self._name, self._data = "", []
        kind = self._kinds.get(name)
        return from_json(data, kind) if kind is not None and data else None
