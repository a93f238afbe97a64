"""Waits for what a server is told by the agent of the device called ``board``."""

import time
from collections.abc import Callable

from search_server.client import SearchClient
from search_server.resources.devices import DeviceResource

LIMIT_S = 300.0
"""Most seconds until something is told, on a machine that has much else to do."""


def until(client: SearchClient, is_so: Callable[[DeviceResource], bool]) -> DeviceResource:
    """Return the device once something holds for it."""
    end_s = time.monotonic() + LIMIT_S
    while not is_so(device := client.device("board")):
        assert time.monotonic() < end_s, device
        time.sleep(0.2)
    return device


def until_it_calls(client: SearchClient, is_so: Callable[[DeviceResource], bool]) -> DeviceResource:
    """Return the device once its agent has asked for work and something holds for it.

    An agent says at its start that it is there and waits for its runtimes; only then it tells its facts.
    """
    before = client.device("board").last_seen_at

    def has_called(device: DeviceResource) -> bool:
        return device.last_seen_at != before and not device.waiting_for and is_so(device)

    return until(client, has_called)
