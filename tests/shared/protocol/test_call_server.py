import asyncio
import gzip

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from profiler_agent.facts.device import read_device
from shared.protocol.call_server import MAX_ANSWER_BYTES, NoAnswerError, RequestRefusedError, ServerClient
from shared.protocol.device import DeviceCreate, DeviceCredential
from shared.protocol.measurement import Heartbeat, LeaseRequest, Result
from tests.profiler_agent.leases import odd_lease
from tests.profiler_agent.tiny_server import ENROLMENT_TOKEN, TOKEN, URL, Line, TinyServer


def test_enrols() -> None:
    async def talk() -> None:
        server = TinyServer()
        create = DeviceCreate(read_device("phone", ()), "http://10.0.0.5:8070")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(server.app)) as http:
            client = ServerClient(URL, http=http)
            assert await client.enrol(ENROLMENT_TOKEN, create) == DeviceCredential("phone", TOKEN)
            with pytest.raises(RequestRefusedError) as refusal:
                await client.enrol("edg_enrol_2_wrong", create)
        assert server.enrolled == [create]
        assert refusal.value.status == 401
        assert refusal.value.body.type == "refused"
        assert not refusal.value.is_temporary

    asyncio.run(talk())


def test_works_for_a_server() -> None:
    async def talk() -> None:
        server = TinyServer()
        lease = odd_lease("fine", lease_id="a b/c")
        server.leases.append(lease)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(server.app)) as http:
            client = ServerClient(URL + "/", TOKEN, http)
            assert await client.lease(LeaseRequest(), wait_s=0) == lease
            assert await client.lease(LeaseRequest(), wait_s=0) is None
            assert not (await client.heartbeat(Heartbeat())).cancel
            with pytest.raises(RequestRefusedError, match="404"):
                await client.artifact("0" * 64, print)

    asyncio.run(talk())


def test_a_result_arrives_once() -> None:
    async def talk() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(TinyServer().app)) as http:
            client = ServerClient(URL, TOKEN, http)
            result = Result("lease", 1, "item", "ok")
            assert (await client.post_result(result)).is_new
            assert not (await client.post_result(result)).is_new
            receipts = await client.post_results((result, Result("lease", 1, "other", "ok")))
            assert [(receipt.item_id, receipt.is_new) for receipt in receipts] == [
                ("item", False),
                ("other", True),
            ]

    asyncio.run(talk())


def test_a_line_that_is_down() -> None:
    async def talk() -> None:
        line = Line(TinyServer().app)
        line.is_down = True
        async with httpx.AsyncClient(transport=line) as http:
            client = ServerClient(URL, TOKEN, http)
            with pytest.raises(NoAnswerError, match="http://server cannot be reached"):
                await client.lease(LeaseRequest(), wait_s=0)
            with pytest.raises(NoAnswerError):
                await client.artifact("0" * 64, print)

    asyncio.run(talk())


@pytest.mark.parametrize("status", [200, 307, 404, 502])
def test_what_is_no_edgenas_server(status: int) -> None:
    async def portal(_: Request) -> Response:
        return Response("<html>Please log in</html>", status, {"Location": "http://elsewhere"})

    async def talk() -> None:
        app = Starlette(routes=[Route("/{path:path}", portal, methods=["POST"])])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
            client = ServerClient(URL, TOKEN, http)
            expected = NoAnswerError if status == 200 else RequestRefusedError
            with pytest.raises(expected, match="edgenas server") as error:
                await client.heartbeat(Heartbeat())
        if isinstance(error.value, RequestRefusedError):
            assert error.value.is_temporary == (status == 502)

    asyncio.run(talk())


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_that_is_small_on_the_line_and_large_unpacked_is_not_read(status: int) -> None:
    packed = gzip.compress(b" " * (MAX_ANSWER_BYTES + 1))
    assert len(packed) < MAX_ANSWER_BYTES / 100

    async def bomb(_: Request) -> Response:
        return Response(packed, status, {"Content-Encoding": "gzip"})

    async def talk() -> None:
        app = Starlette(routes=[Route("/{path:path}", bomb, methods=["POST"])])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
            with pytest.raises(NoAnswerError, match="more than 33,554,432 bytes"):
                await ServerClient(URL, TOKEN, http).lease(LeaseRequest(), 0)

    asyncio.run(talk())


def test_a_url_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="http"):
        ServerClient("nas.example.org")


def test_closes_what_it_built() -> None:
    async def talk() -> None:
        async with ServerClient("http://127.0.0.1:1") as client:
            with pytest.raises(NoAnswerError):
                await client.heartbeat(Heartbeat())

    asyncio.run(talk())
