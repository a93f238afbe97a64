"""Slow, many and talkative clients on real sockets."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.profiler_agent.carriers.serving import TOKEN, Served, served

PATIENCE_S = 60.0
"""A test that hangs fails; nothing is held against it."""

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: agent\r\n\r\n"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as agent:
        yield agent


def connect(agent: Served) -> socket.socket:
    return socket.create_connection(agent.address, PATIENCE_S)


def answer(client: socket.socket) -> bytes:
    """Return all that comes until the agent closes the connection."""
    received = b""
    try:
        while piece := client.recv(1 << 16):
            received += piece
    except ConnectionResetError:
        pass
    return received


def is_well(agent: Served) -> bool:
    """Return whether the agent answers a new client."""
    with connect(agent) as client:
        client.sendall(HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        return answer(client).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("head", [b"", b"GET /healthz HTTP/1.1\r\nHost: ag"])
def test_a_head_that_never_ends_loses_its_connection(
    agent: Served, head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as hasty, connect(agent) as client:
        hasty.setattr("profiler_agent.carriers.bounded_http.HEAD_S", 0.3)
        with suppress(OSError):  # it may be closed already
            client.sendall(head)
        assert answer(client) == b""
    assert is_well(agent)


def test_a_head_that_comes_in_drops_gets_no_more_time(
    agent: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profiler_agent.carriers.bounded_http.HEAD_S", 0.3)
    closed = threading.Event()
    with connect(agent) as client:

        def drip() -> None:
            while not closed.wait(0.02):
                try:
                    client.sendall(b"X: y\r\n")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert answer(client) == b""
        finally:
            closed.set()
            dripping.join()


def test_a_body_that_stops_loses_its_connection(agent: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profiler_agent.carriers.bounded_http.BODY_IDLE_S", 0.3)
    head = f"POST /v1/leases HTTP/1.1\r\nHost: agent\r\nAuthorization: Bearer {TOKEN}\r\n"
    with connect(agent) as client:
        client.sendall(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
        assert answer(client) == b""
    assert is_well(agent)


def test_a_stranger_who_never_stops_sending_is_answered_and_cut_off(
    agent: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profiler_agent.carriers.bounded_http.REST_S", 0.3)
    with connect(agent) as client:
        client.sendall(b"POST /v1/leases HTTP/1.1\r\nHost: agent\r\nContent-Length: 1000000\r\n\r\n{")
        assert answer(client).startswith(b"HTTP/1.1 401")


def test_a_head_of_20_kb_loses_its_connection(agent: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profiler_agent.carriers.bounded_http.HEAD_S", 3600.0)
    with connect(agent) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: agent\r\nX: " + b"x" * 20_000)
        assert not answer(client).startswith(b"HTTP/1.1 200")
    assert is_well(agent)


def test_a_body_that_is_too_large_is_refused_while_it_comes(
    agent: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profiler_agent.carriers.bounded_http.REST_S", 3600.0)
    head = f"POST /v1/leases HTTP/1.1\r\nHost: agent\r\nAuthorization: Bearer {TOKEN}\r\n"
    with connect(agent) as client:
        client.sendall(f"{head}Content-Length: {1 << 40}\r\n\r\n".encode())
        megabyte = b" " * (1 << 20)
        for _ in range(17):
            client.sendall(megabyte)
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 413")
    assert is_well(agent)


def test_there_are_so_many_connections_and_no_more(agent: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profiler_agent.carriers.bounded_http.MAX_CONNECTIONS", 3)
    monkeypatch.setattr("profiler_agent.carriers.bounded_http.HEAD_S", 3600.0)
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(agent)) for _ in range(3)]
        with connect(agent) as one_too_many:  # connections are taken in the order in which they came
            assert answer(one_too_many) == b""
        for client in clients:
            client.sendall(HEALTH)
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 200")
