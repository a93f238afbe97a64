"""Server-sent events: lines in, resources out; where to go on after a lost connection."""

from dataclasses import dataclass

import pytest

from search_server.client.errors import ServerUnreachableError
from search_server.client.events import EventReader


@dataclass(frozen=True, slots=True)
class Tick:
    """A tiny event."""

    number: int


def _reader(patience_s: float = 60.0) -> EventReader[Tick]:
    return EventReader("http://server", {"tick": Tick}, patience_s)


def _feed(reader: EventReader[Tick], text: str) -> list[Tick]:
    events = [reader.feed(line) for line in text.split("\n")]
    return [event for event in events if event is not None]


def test_events_of_known_names_become_resources() -> None:
    text = ': hello\n\nevent: tick\nid: 7\ndata: {"number":\ndata: 1}\n\nevent: new\ndata: {}\n\n'
    reader = _reader()
    assert _feed(reader, text) == [Tick(1)]
    assert reader.headers["Last-Event-ID"] == "7"


def test_half_an_event_is_dropped_when_the_connection_is_lost() -> None:
    reader = _reader()
    assert _feed(reader, 'event: tick\ndata: {"number": 1}') == []
    reader.pause_s("gone")
    assert _feed(reader, 'event: tick\ndata: {"number": 2}\n\n') == [Tick(2)]


def test_pauses_grow_and_start_again_once_something_is_heard() -> None:
    reader = _reader()
    first, second = reader.pause_s("gone"), reader.pause_s("gone")
    assert first < second <= 10
    reader.feed("")
    assert reader.pause_s("gone") == first
    assert max(reader.pause_s("gone") for _ in range(20)) == 10


def test_patience_ends() -> None:
    with pytest.raises(ServerUnreachableError, match="http://server: gone"):
        _reader(patience_s=0).pause_s("gone")
