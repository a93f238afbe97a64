"""One kind of work on many devices at once: which devices, a thread for each, and what came of it."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from search_server.client.errors import SearchClientError
from search_server.client.search_client import SearchClient

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What became of the work on one device."""

    device: str
    value: T | None
    """None where the work failed."""
    error: str = ""
    """Why it failed, and what to do."""


def chosen_devices(
    client: SearchClient, names: Sequence[str] = (), tag: str | None = None
) -> tuple[str, ...]:
    """Return devices that were named and devices that carry a tag, each once.

    Raises:
        ValueError: that is none.
    """
    tagged = [device.name for device in client.devices(tag)] if tag is not None else []
    if tag is not None and not tagged:
        raise ValueError(f"no device carries the tag {tag!r}; 'edgenas devices list' shows the tags")
    if not names and not tagged:
        raise ValueError("name a device, or choose several with --tag")
    return tuple(dict.fromkeys([*names, *tagged]))


def on_each(devices: Iterable[str], work: Callable[[str], T]) -> list[Outcome[T]]:
    """Call ``work`` with each device at the same time; return the outcomes in the order of the devices.

    An error of one device leaves the others alone: client errors, ValueError and OSError become outcomes.
    """
    outcomes: dict[str, Outcome[T]] = {}

    def call(device: str) -> None:
        try:
            outcomes[device] = Outcome(device, work(device))
        except (SearchClientError, ValueError, OSError) as error:
            outcomes[device] = Outcome(device, None, str(error))

    # As daemons they do not keep a program alive that was interrupted.
    threads = {device: threading.Thread(target=call, args=(device,), daemon=True) for device in devices}
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join()
    return [outcomes[device] for device in threads]
