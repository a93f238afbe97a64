"""The carrier for agents that a server can reach: it posts a lease and reads results as they come.

Every route but ``/healthz`` asks for the agent's token. Model files arrive before the lease that names
them, and are kept only if their bytes hash to their name.
"""

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from profiler_agent.agent import AgentBusyError, AgentCore
from profiler_agent.artifact_cache import ArtifactMismatchError
from profiler_agent.carriers.lease_thread import LeaseThread
from profiler_agent.carriers.metrics import agent_registry
from profiler_agent.facts.environment import read_environment
from shared.protocol.device import Device, Environment
from shared.protocol.measurement import AgentState, Artifact, Lease
from shared.protocol.wire import ErrorBody, WireError, from_json, to_dict, to_json

MAX_LEASE_BYTES = 16 << 20

_WORDS = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 422: "invalid_request"}
_MIN_TOKEN_LENGTH = 32
_MAX_HOLD_INTERVAL_S = 5.0
_LATER_S = 20
"""When to ask again a device that its owner does not lend now."""


def _for_nothing(_: Environment) -> str:
    return ""


def create_app(
    core: AgentCore,
    tell_device: Callable[[], Awaitable[Device]],
    token: str,
    waits_for: Callable[[Environment], str] = _for_nothing,
) -> Starlette:
    """Return the agent's application.

    Args:
        core: runs the leases.
        tell_device: returns what this device is.
        token: what callers must present as ``Authorization: Bearer``.
        waits_for: what lacks of the owner's conditions for a lease, from how the device is; empty: nothing.

    Raises:
        ValueError: the token is too short to be a secret.
    """
    if len(token) < _MIN_TOKEN_LENGTH:
        raise ValueError(
            f"the agent's token needs at least {_MIN_TOKEN_LENGTH} characters, got {len(token)}"
        )
    endpoints = _Endpoints(core, tell_device, waits_for)
    return Starlette(
        routes=[
            Route("/healthz", endpoints.healthz),
            Route("/metrics", endpoints.metrics),
            Route("/v1/device", endpoints.device),
            Route("/v1/state", endpoints.state),
            Route("/v1/leases", endpoints.run_lease, methods=["POST"]),
            Route("/v1/leases/{lease_id}", endpoints.cancel_lease, methods=["DELETE"]),
            Route("/v1/artifacts/{sha256}", endpoints.put_artifact, methods=["PUT"]),
            Route("/v1/artifacts/{sha256}", endpoints.head_artifact, methods=["HEAD"]),
        ],
        middleware=[Middleware(_RequireToken, token=token)],
        exception_handlers={
            HTTPException: _answer_http_exception,
            WireError: _answer_invalid,
            ArtifactMismatchError: _answer_invalid,
            AgentBusyError: _answer_busy,
        },
    )


class _RequireToken:
    """Lets nobody in without the token; everybody may ask ``/healthz``."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != "/healthz":
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, self._expected):
                detail = "send the agent's token as 'Authorization: Bearer TOKEN'"
                response = _problem(401, "wrong_token", detail, {"WWW-Authenticate": "Bearer"})
                return await response(scope, receive, send)
        return await self._app(scope, receive, send)


class _Endpoints:
    """The routes, with the core that they call."""

    def __init__(
        self,
        core: AgentCore,
        tell_device: Callable[[], Awaitable[Device]],
        waits_for: Callable[[Environment], str],
    ) -> None:
        self._core = core
        self._tell_device = tell_device
        self._waits_for = waits_for
        self._registry = agent_registry(core)

    async def healthz(self, request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def metrics(self, request: Request) -> Response:
        text = await asyncio.to_thread(generate_latest, self._registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    async def device(self, request: Request) -> Response:
        return JSONResponse(to_dict(await self._tell_device()))

    async def state(self, request: Request) -> Response:
        return JSONResponse(to_dict(await self._state()))

    async def run_lease(self, request: Request) -> Response:
        lease = from_json(await _body(request, MAX_LEASE_BYTES), Lease)
        lacking = (await self._state()).waiting_for
        if lacking:
            detail = f"the owner does not lend this device now, which waits for: {lacking}; try again later"
            return _problem(503, "not_now", detail, {"Retry-After": str(_LATER_S)})
        run = LeaseThread(self._core, lease)
        return StreamingResponse(self._lines(run, lease, request), media_type="application/x-ndjson")

    async def cancel_lease(self, request: Request) -> Response:
        lease_id = request.path_params["lease_id"]
        if not self._core.cancel(lease_id, "the server cancelled the lease"):
            raise HTTPException(404, f"lease {lease_id!r} is not being measured here")
        return Response(status_code=204)

    async def put_artifact(self, request: Request) -> Response:
        sha256 = _sha256(request)
        if self._core.artifacts.path(sha256) is None:
            with self._core.artifacts.writing(sha256, self._core.bounds.max_artifact_bytes) as file:
                async for chunk in request.stream():
                    file.write(chunk)
        return Response(status_code=204)

    async def head_artifact(self, request: Request) -> Response:
        is_here = self._core.artifacts.path(_sha256(request)) is not None
        return Response(status_code=200 if is_here else 404)

    async def _state(self) -> AgentState:
        environment = await asyncio.to_thread(read_environment)
        return AgentState(environment, self._waits_for(environment), self._core.lease_id)

    async def _lines(self, run: LeaseThread, lease: Lease, request: Request) -> AsyncIterator[str]:
        """Yield a result a line; the open connection is the heartbeat that renews the lease."""
        hold = asyncio.create_task(self._hold(lease, request))
        try:
            async for result in run.results():
                yield to_json(result) + "\n"
        finally:
            hold.cancel()

    async def _hold(self, lease: Lease, request: Request) -> None:
        while not await request.is_disconnected():
            self._core.renew(lease.lease_id, lease.ttl_s)
            await asyncio.sleep(min(lease.ttl_s / 3, _MAX_HOLD_INTERVAL_S))
        self._core.cancel(lease.lease_id, "the server hung up")


def _problem(status: int, word: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error answer.

    Args:
        status: HTTP status.
        word: for programs; stays the same.
        detail: one sentence for people.
        headers: to send besides.
    """
    body = ErrorBody(word, HTTPStatus(status).phrase, status, detail)
    return Response(to_json(body), status, headers, media_type="application/problem+json")


async def _body(request: Request, limit_bytes: int) -> bytes:
    """Return the request's body.

    Raises:
        HTTPException: 413, it is larger than the limit.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            raise HTTPException(413, f"the body is larger than {limit_bytes:,} bytes; split the lease")
    return bytes(body)


def _sha256(request: Request) -> str:
    try:
        return Artifact(request.path_params["sha256"], 0).sha256
    except ValueError as error:
        raise HTTPException(422, str(error)) from error


async def _answer_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for nothing else"
    word = _WORDS.get(error.status_code, "http_error")
    return _problem(error.status_code, word, error.detail, dict(error.headers or {}))


async def _answer_invalid(_: Request, error: Exception) -> Response:
    return _problem(422, "invalid_request", str(error))


async def _answer_busy(_: Request, error: Exception) -> Response:
    return _problem(409, "agent_busy", str(error), {"Retry-After": "5"})
