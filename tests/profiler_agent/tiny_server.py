"""A server with just the routes an agent uses, and switches to make it refuse."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.protocol.device import DeviceCreate, DeviceCredential
from shared.protocol.measurement import (
    Heartbeat,
    HeartbeatReply,
    Lease,
    LeaseRequest,
    Result,
    ResultReceipt,
)
from shared.protocol.wire import ErrorBody, from_json, to_json

URL = "http://server"
TOKEN = "edg_device_1_secret"
ENROLMENT_TOKEN = "edg_enrol_1_secret"


class TinyServer:
    """Hands out the leases put into it and keeps what comes back."""

    def __init__(self) -> None:
        self.leases: deque[Lease] = deque()
        self.artifacts: dict[str, bytes] = {}
        self.results: dict[tuple[str, str], Result] = {}
        self.given_back: list[tuple[str, str]] = []
        """Lease and fence of each lease that an agent gave back."""
        self.num_posts = 0
        """Requests with results."""
        self.takes_batches = True
        """False: a server from before agents sent several results at once."""
        self.requests: list[LeaseRequest] = []
        self.heartbeats: list[Heartbeat] = []
        self.enrolled: list[DeviceCreate] = []
        self.refusal: int | None = None
        """Answer every request with this status."""
        self.result_refusal: int | None = None
        self.unwanted: set[str] = set()
        """Items whose measured results are refused with 422."""
        self.is_cancelling = False
        self.renewed_token = "edg_device_2_secret"
        self.accepted = {TOKEN, self.renewed_token}
        """Tokens that are let in."""
        self.is_rotating = False
        """Ask for a new credential until one is taken."""
        self.changed = asyncio.Event()
        self.app = Starlette(
            routes=[
                self._route("/devices", self._enrol),
                self._route("/agent/lease", self._lease),
                self._route("/agent/leases/{lease_id}/results", self._result),
                self._route("/agent/leases/{lease_id}/results/batch", self._batch),
                self._route("/agent/leases/{lease_id}", self._give_back, "DELETE"),
                self._route("/agent/heartbeat", self._heartbeat),
                self._route("/artifacts/{sha256}", self._artifact, "GET"),
            ]
        )

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something holds that a request brings about."""
        while not is_so():
            self.changed.clear()
            await self.changed.wait()

    def _route(
        self, path: str, handle: Callable[[Request], Awaitable[Response]], method: str = "POST"
    ) -> Route:
        async def endpoint(request: Request) -> Response:
            accepted = self.accepted | ({ENROLMENT_TOKEN} if path == "/devices" else set())
            if request.headers.get("authorization", "").removeprefix("Bearer ") not in accepted:
                return _refuse(401)
            response = _refuse(self.refusal) if self.refusal else await handle(request)
            self.changed.set()
            return response

        return Route(f"/api/v1{path}", endpoint, methods=[method])

    async def _enrol(self, request: Request) -> Response:
        self.enrolled.append(from_json(await request.body(), DeviceCreate))
        is_renewal = request.headers["authorization"] == f"Bearer {TOKEN}"
        return _answer(DeviceCredential("phone", self.renewed_token if is_renewal else TOKEN), 201)

    async def _lease(self, request: Request) -> Response:
        self.requests.append(from_json(await request.body(), LeaseRequest))
        if self.leases:
            return _answer(self.leases.popleft())
        await asyncio.sleep(0)
        return Response(status_code=204)

    async def _result(self, request: Request) -> Response:
        result = from_json(await request.body(), Result)
        receipts = self._take(request, (result,))
        return receipts if isinstance(receipts, Response) else _answer(receipts[0])

    async def _batch(self, request: Request) -> Response:
        if not self.takes_batches:
            return Response("Not Found", 404)
        receipts = self._take(request, from_json(await request.body(), tuple[Result, ...]))
        return receipts if isinstance(receipts, Response) else _answer(receipts)

    def _take(self, request: Request, results: tuple[Result, ...]) -> list[ResultReceipt] | Response:
        assert {result.lease_id for result in results} == {request.path_params["lease_id"]}
        self.num_posts += 1
        if self.result_refusal:
            return _refuse(self.result_refusal)
        if self.unwanted & {result.item_id for result in results if result.status == "ok"}:
            return _refuse(422)
        receipts = []
        for result in results:
            key = result.lease_id, result.item_id
            receipts.append(ResultReceipt(*key, is_new=key not in self.results))
            self.results.setdefault(key, result)
        return receipts

    async def _give_back(self, request: Request) -> Response:
        self.given_back.append((request.path_params["lease_id"], request.query_params["fence"]))
        return Response(status_code=204)

    async def _heartbeat(self, request: Request) -> Response:
        self.heartbeats.append(from_json(await request.body(), Heartbeat))
        is_rotating = self.is_rotating and not self.enrolled
        return _answer(HeartbeatReply(self.is_cancelling, interval_s=0.01, rotate=is_rotating))

    async def _artifact(self, request: Request) -> Response:
        content = self.artifacts.get(request.path_params["sha256"])
        return _refuse(404) if content is None else Response(content)


class Line(httpx.AsyncBaseTransport):
    """A network to an app that can be down."""

    def __init__(self, app: Starlette) -> None:
        self._transport = httpx.ASGITransport(app)
        self.is_down = False
        self.num_failures = 0
        self.failed = asyncio.Event()

    async def next_failure(self) -> None:
        """Wait until one more request has failed."""
        self.failed.clear()
        await self.failed.wait()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_down:
            self.num_failures += 1
            self.failed.set()
            raise httpx.ConnectError("the line is down", request=request)
        return await self._transport.handle_async_request(request)


def _answer(message: object, status: int = 200) -> Response:
    return Response(to_json(message), status, media_type="application/json")


def _refuse(status: int) -> Response:
    body = ErrorBody("refused", "Refused", status, f"the tiny server says {status}")
    return Response(to_json(body), status, media_type="application/problem+json")
