"""More requests than places: some are sent away at once, with the time after which to come again."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from search_server.routes.admission import Admission, leave_place
from shared.protocol.wire import ErrorBody, from_json

pytestmark = pytest.mark.anyio

POLL, READ = ("POST", "/api/v1/agent/lease"), ("GET", "/api/v1/devices")


class Scene:
    """Routes that go on when they are told to."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.begun = asyncio.Semaphore(0)
        routes = [
            Route(POLL[1], self._wait, methods=["POST"]),
            Route(READ[1], self._wait),
            Route("/healthz", self._wait),
            Route("/waits", self._leave_and_wait),
            Route("/streams", self._stream),
        ]
        app = Admission(Starlette(routes=routes), max_at_work=1, max_arrivals=3, max_arriving=2)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")

    async def begin(self, method: str, path: str) -> asyncio.Task[httpx.Response]:
        """Send a request, and return when it is at work."""
        answer = asyncio.create_task(self.http.request(method, path))
        await self.begun.acquire()
        return answer

    async def _wait(self, _: Request) -> Response:
        self.begun.release()
        await self.go_on.wait()
        return PlainTextResponse("done")

    async def _leave_and_wait(self, request: Request) -> Response:
        leave_place(request)
        return await self._wait(request)

    async def _stream(self, _: Request) -> Response:
        async def parts() -> object:
            self.begun.release()
            await self.go_on.wait()
            yield "done"

        return StreamingResponse(parts())  # type: ignore[arg-type]


async def test_arrivals_wait_for_each_other_and_leave_places_for_people() -> None:
    scene = Scene()
    polls = [await scene.begin(*POLL) for _ in range(2)]
    waiting = asyncio.create_task(scene.http.request(*POLL))
    await asyncio.sleep(0)  # it waits at the gate, not at work
    assert scene.begun.locked()
    refused = await scene.http.request(*POLL)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "3")
    assert from_json(refused.content, ErrorBody).type == "too_busy"
    read = await scene.begin(*READ)
    assert (await scene.http.request(*READ)).status_code == 503
    alive = await scene.begin("GET", "/healthz")
    scene.go_on.set()
    for answer in (*polls, waiting, read, alive):
        assert (await answer).status_code == 200
    assert (await scene.http.request(*POLL)).status_code == 200


async def test_who_gives_up_at_the_gate_lets_the_next_one_in() -> None:
    scene = Scene()
    polls = [await scene.begin(*POLL) for _ in range(2)]
    waiting = asyncio.create_task(scene.http.request(*POLL))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    scene.go_on.set()
    for answer in polls:
        assert (await answer).status_code == 200
    again = [scene.http.request(*POLL) for _ in range(3)]
    assert [answer.status_code for answer in await asyncio.gather(*again)] == [200] * 3


@pytest.mark.parametrize("path", ["/waits", "/streams"])
async def test_who_waits_or_has_begun_to_answer_needs_no_place(path: str) -> None:
    scene = Scene()
    waiting = [await scene.begin("GET", path) for _ in range(20)]
    read = await scene.begin(*READ)
    scene.go_on.set()
    for answer in (*waiting, read):
        assert (await answer).text == "done"
