"""Enrolling at a server that has too much to do for the moment."""

import asyncio
import random
from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from profiler_agent.carriers.backoff import Backoff
from profiler_agent.carriers.enrolment import ask_patiently
from profiler_agent.facts.device import read_device
from shared.protocol.call_server import RequestRefusedError, ServerClient
from shared.protocol.device import DeviceCreate, DeviceCredential

ACCEPTED = Response('{"device_id": "phone", "token": "edg_device_1_secret"}', 201)


def refused(status: int, **headers: str) -> Response:
    return Response("", status, {name.replace("_", "-"): value for name, value in headers.items()})


async def enrol(answers: Iterator[Response], patience_s: float = 60.0) -> DeviceCredential:
    """Enrol at a server that gives these answers, one after another."""

    async def answer(_: Request) -> Response:
        return next(answers)

    app = Starlette(routes=[Route("/api/v1/devices", answer, methods=["POST"])])
    backoff = Backoff(random.Random(0), first_s=0.001, longest_s=0.002)
    create = DeviceCreate(read_device("phone", ()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
        client = ServerClient("http://server", http=http)
        return await ask_patiently(client, "edg_enrol_1_x", create, backoff, patience_s)


def test_a_server_with_too_much_to_do_is_asked_again() -> None:
    answers = iter([refused(503, Retry_After="0"), refused(429), ACCEPTED])
    assert asyncio.run(enrol(answers)).device_id == "phone"


def test_a_wrong_token_is_refused_at_once() -> None:
    with pytest.raises(RequestRefusedError) as caught:
        asyncio.run(enrol(iter([refused(401), ACCEPTED])))
    assert caught.value.status == 401


def test_patience_ends() -> None:
    with pytest.raises(RequestRefusedError):
        asyncio.run(enrol(iter([refused(503, Retry_After="100"), ACCEPTED])))


@pytest.mark.parametrize(
    ("header", "retry_after_s"),
    [("7", 7.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0), ("999999", 3600.0), ("-1", 0.0)],
)
def test_the_pause_that_a_server_asks_for_is_read(header: str, retry_after_s: float) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        asyncio.run(enrol(iter([refused(503, Retry_After=header)]), patience_s=0.0))
    assert caught.value.retry_after_s == retry_after_s
