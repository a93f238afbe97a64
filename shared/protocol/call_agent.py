"""Server -> agent: what the device is, model files, a lease out and its results back as they come.

The same ``Lease`` and ``Result`` as over :mod:`shared.protocol.call_server`; here the server calls. Who may
be called is the caller's business: it hands in the HTTP client.
"""

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import httpx

from shared.protocol.device import Device
from shared.protocol.measurement import AgentState, Lease, Result
from shared.protocol.wire import ErrorBody, WireError, from_json, from_peer, to_json

T = TypeVar("T")

MAX_ANSWER_BYTES = 1 << 20
MAX_LINE_BYTES = 32 << 20
"""Longest result that is read."""

_TIMEOUT = httpx.Timeout(10.0, read=60.0)
_CHUNK_BYTES = 1 << 16
_NOT_NOW = (httpx.codes.CONFLICT, httpx.codes.SERVICE_UNAVAILABLE)


class AgentError(Exception):
    """The agent cannot be reached, refused, or did not answer as an agent does."""


class NotNowError(AgentError):
    """The agent took no lease because of something that passes; the message says what."""


class AgentClient:
    """The server's side of an agent's HTTP interface."""

    def __init__(self, url: str, token: str, http: httpx.AsyncClient) -> None:
        """Prepare, without connecting.

        Args:
            url: the agent, such as ``http://192.168.1.20:8765``.
            token: what the agent asks for.
            http: carries the requests; stays the caller's to close.
        """
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http = http

    async def device(self) -> Device:
        """Ask what the device is.

        Raises:
            AgentError: no agent answers, or it refuses.
        """
        return self._read(await self._send("GET", "/v1/device"), Device)

    async def state(self) -> AgentState:
        """Ask how the agent is now; one from before this question lacks nothing.

        Raises:
            AgentError: no agent answers, or it refuses.
        """
        response = await self._send("GET", "/v1/state", accepted=(httpx.codes.NOT_FOUND,))
        if response.status_code == httpx.codes.NOT_FOUND:
            return AgentState()
        return self._read(response, AgentState)

    async def ensure_artifact(self, sha256: str, read: Callable[[], bytes]) -> None:
        """Send a model file, which ``read`` returns, unless the agent has it.

        Raises:
            AgentError: no agent answers, or it refuses.
        """
        route = f"/v1/artifacts/{sha256}"
        there = await self._send("HEAD", route, accepted=(httpx.codes.OK, httpx.codes.NOT_FOUND))
        if there.status_code == httpx.codes.NOT_FOUND:
            await self._send("PUT", route, content=read())

    async def run(self, lease: Lease) -> AsyncIterator[tuple[Result, ...]]:
        """Hand a lease out and yield its results as they come: those together that came together.

        Raises:
            NotNowError: the agent has another lease, or its owner does not lend the device now.
            AgentError: no agent answers, it refuses, or the stream breaks off or is no stream of results.
        """
        request = self._request("POST", "/v1/leases", to_json(lease).encode())
        try:
            response = await self._http.send(request, stream=True, follow_redirects=False)
            try:
                if response.status_code in _NOT_NOW:
                    raise NotNowError(self._detail(await _read_limited(response)))
                if response.status_code != httpx.codes.OK:
                    raise self._refusal(response, await _read_limited(response))
                async for lines in _lines(response):
                    yield tuple(from_peer(line, Result) for line in lines)
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        except WireError as error:
            raise AgentError(f"{self.url} does not answer as an agent: {error}") from error

    async def cancel(self, lease_id: str) -> None:
        """Stop a lease; that it runs no longer is fine.

        Raises:
            AgentError: no agent answers, or it refuses.
        """
        accepted = (httpx.codes.NO_CONTENT, httpx.codes.NOT_FOUND)
        await self._send("DELETE", f"/v1/leases/{lease_id}", accepted=accepted)

    def _request(self, method: str, route: str, content: bytes | None) -> httpx.Request:
        url = f"{self.url}{route}"
        return self._http.build_request(
            method, url, headers=self._headers, content=content, timeout=_TIMEOUT
        )

    async def _send(
        self, method: str, route: str, content: bytes | None = None, accepted: tuple[int, ...] = ()
    ) -> httpx.Response:
        """Send a request; the answer's body is read, up to a limit."""
        try:
            request = self._request(method, route, content)
            response = await self._http.send(request, stream=True, follow_redirects=False)
            try:
                body = await _read_limited(response)
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if response.status_code not in accepted and not response.is_success:
            raise self._refusal(response, body)
        return httpx.Response(response.status_code, content=body)

    def _read(self, response: httpx.Response, target: type[T]) -> T:
        try:
            return from_peer(response.content, target)
        except WireError as error:
            raise AgentError(f"{self.url} does not answer as an agent: {error}") from error

    def _refusal(self, response: httpx.Response, body: bytes) -> AgentError:
        return AgentError(f"agent {self.url} refused ({response.status_code}): {self._detail(body)}")

    def _detail(self, body: bytes) -> str:
        try:
            return from_json(body, ErrorBody).detail
        except WireError:
            return "no reason given"

    def _unreachable(self, error: httpx.TransportError) -> AgentError:
        return AgentError(f"agent {self.url} cannot be reached: {str(error) or type(error).__name__}")


async def _read_limited(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes(_CHUNK_BYTES):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise AgentError(f"{response.url} answers with more than {MAX_ANSWER_BYTES} bytes")
    return bytes(body)


async def _lines(response: httpx.Response) -> AsyncIterator[list[bytes]]:
    """Yield the lines of a stream that are not empty, those together that end in one piece of it."""
    pending = bytearray()
    async for chunk in response.aiter_bytes(_CHUNK_BYTES):
        pending += chunk
        if b"\n" in chunk:
            *ended, rest = bytes(pending).split(b"\n")
            pending = bytearray(rest)
            lines = [line for line in ended if line.strip()]
            if lines:
                yield lines
        if len(pending) > MAX_LINE_BYTES:
            raise AgentError(f"{response.url} sends a line of more than {MAX_LINE_BYTES} bytes")
    if pending.strip():
        yield [bytes(pending)]
