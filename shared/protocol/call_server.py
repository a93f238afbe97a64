"""Agent -> server: enrol, fetch work, send results, say that one is alive.

The token travels in the Authorization header and nowhere else.
"""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from shared.protocol.address import checked_address
from shared.protocol.device import DeviceCreate, DeviceCredential
from shared.protocol.measurement import (
    Heartbeat,
    HeartbeatReply,
    Lease,
    LeaseRequest,
    Result,
    ResultReceipt,
)
from shared.protocol.wire import ErrorBody, WireError, from_json, to_json

T = TypeVar("T")

MAX_ANSWER_BYTES = 32 << 20
"""Longest answer that an agent reads, unpacked; model files have limits of their own."""

_CHUNK_BYTES = 1 << 16
_TIMEOUT_S = 30.0
_POLL_MARGIN_S = 15.0
"""A long poll may take this much longer than asked before the server counts as gone."""

_LONGEST_RETRY_AFTER_S = 3600.0


class NoAnswerError(ConnectionError):
    """The server cannot be reached now, or what answers is no edgenas server."""


class RequestRefusedError(Exception):
    """The server answered a request of the agent with an error."""

    def __init__(self, status: int, body: ErrorBody, retry_after_s: float = 0.0) -> None:
        super().__init__(f"{body.title} ({status}): {body.detail}")
        self.status = status
        self.body = body
        self.retry_after_s = retry_after_s
        """How long the server asks to wait before the next attempt; 0 if it does not say."""

    @property
    def is_temporary(self) -> bool:
        """The same request may succeed later: the server is overloaded, restarting or broken."""
        return self.status in (408, 425, 429) or self.status >= 500


class ServerClient:
    """The agent's side of a server's REST interface; an async context manager."""

    def __init__(self, url: str, token: str | None = None, http: httpx.AsyncClient | None = None) -> None:
        """Prepare, without connecting.

        Args:
            url: the server, such as ``https://nas.example.org``.
            token: the device's own; not needed to enrol.
            http: used and left open if given, else one is built and closed with this client.

        Raises:
            ValueError: the URL is no address of a server.
        """
        self.url = checked_address(url)
        self._token = token
        self._is_owner = http is None
        self._http = httpx.AsyncClient(timeout=_TIMEOUT_S) if http is None else http

    async def __aenter__(self) -> "ServerClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_owner:
            await self._http.aclose()

    async def enrol(self, enrolment_token: str, device: DeviceCreate) -> DeviceCredential:
        """Swap a short-lived enrolment token for the device's own credential.

        Raises:
            RequestRefusedError: the token is wrong, used up or too old, or the device is not accepted.
            NoAnswerError: no server answers.
        """
        response = await self._post("devices", device, token=enrolment_token)
        return self._read(response, DeviceCredential)

    async def renew(self, device: DeviceCreate) -> DeviceCredential:
        """Swap the device's own credential for a new one; the old one works until the new one is used.

        Raises:
            RequestRefusedError: the credential is refused, or was renewed already (409).
            NoAnswerError: no server answers.
        """
        return self._read(await self._post("devices", device), DeviceCredential)

    def use_token(self, token: str) -> None:
        """Show this token from now on."""
        self._token = token

    async def lease(self, request: LeaseRequest, wait_s: float) -> Lease | None:
        """Wait up to ``wait_s`` seconds for work; None if there is none.

        Raises:
            RequestRefusedError: the token is refused (401, 403) or this agent's version is (426).
            NoAnswerError: no server answers.
        """
        timeout_s = wait_s + _POLL_MARGIN_S
        response = await self._post(
            "agent/lease", request, params={"wait": f"{wait_s:g}"}, timeout_s=timeout_s
        )
        return None if response.status_code == httpx.codes.NO_CONTENT else self._read(response, Lease)

    async def post_result(self, result: Result) -> ResultReceipt:
        """Hand in a result; doing it again changes nothing.

        Raises:
            RequestRefusedError: the lease has passed to another hand (409, 410) or is unknown (404).
            NoAnswerError: no server answers.
        """
        response = await self._post(f"agent/leases/{quote(result.lease_id, safe='')}/results", result)
        return self._read(response, ResultReceipt)

    async def post_results(self, results: Sequence[Result]) -> tuple[ResultReceipt, ...]:
        """Hand in results of one lease, all or none; doing it again changes nothing.

        Raises:
            RequestRefusedError: one of them cannot be taken, or the server is too old to take several
                (404, 405): each is to be handed in by itself then.
            NoAnswerError: no server answers.
        """
        path = f"agent/leases/{quote(results[0].lease_id, safe='')}/results/batch"
        return self._read(await self._post(path, tuple(results)), tuple[ResultReceipt, ...])

    async def give_back(self, lease: Lease) -> None:
        """Return a lease that will not be finished here; the server hands it out again at once.

        Raises:
            RequestRefusedError: this device no longer holds the lease (409).
            NoAnswerError: no server answers.
        """
        path = f"agent/leases/{quote(lease.lease_id, safe='')}"
        await self._send(self._request("DELETE", path, params={"fence": str(lease.fence)}))

    async def heartbeat(self, heartbeat: Heartbeat) -> HeartbeatReply:
        """Say that this agent is alive and how far it is; learn whether to go on.

        Raises:
            RequestRefusedError: the token is refused, or the lease is unknown.
            NoAnswerError: no server answers.
        """
        return self._read(await self._post("agent/heartbeat", heartbeat), HeartbeatReply)

    async def artifact(self, sha256: str, write: Callable[[bytes], object]) -> None:
        """Fetch a model file piece by piece; whoever writes it checks size and hash.

        Raises:
            RequestRefusedError: the server does not have it (404).
            NoAnswerError: no server answers, or the connection broke on the way.
        """
        request = self._request("GET", f"artifacts/{quote(sha256, safe='')}")
        response = await self._send(request, is_streamed=True)
        try:
            async for chunk in response.aiter_bytes():
                write(chunk)
        except httpx.TransportError as error:
            raise NoAnswerError(f"{self.url} broke off: {_words(error)}") from error
        finally:
            await response.aclose()

    async def _post(
        self,
        path: str,
        message: object,
        *,
        token: str | None = None,
        params: dict[str, str] | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> httpx.Response:
        request = self._request(
            "POST", path, token, content=to_json(message), params=params, timeout=timeout_s
        )
        return await self._send(request)

    def _request(self, method: str, path: str, token: str | None = None, **options: Any) -> httpx.Request:
        headers = {"Content-Type": "application/json"} if "content" in options else {}
        token = token or self._token
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self._http.build_request(method, f"{self.url}/api/v1/{path}", headers=headers, **options)

    async def _send(self, request: httpx.Request, *, is_streamed: bool = False) -> httpx.Response:
        try:
            response = await self._http.send(request, stream=True, follow_redirects=False)
            if is_streamed and response.is_success:
                return response
            response = await self._whole(response)
            if response.is_success:
                return response
        except httpx.TransportError as error:
            raise NoAnswerError(f"{self.url} cannot be reached: {_words(error)}") from error
        body, retry_after_s = self._error_body(response), _retry_after_s(response)
        raise RequestRefusedError(response.status_code, body, retry_after_s)

    async def _whole(self, response: httpx.Response) -> httpx.Response:
        """Return an answer with its body, which has a largest size whoever sends it."""
        body = bytearray()
        try:
            async for chunk in response.aiter_bytes(_CHUNK_BYTES):
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise NoAnswerError(f"{self.url} answers with more than {MAX_ANSWER_BYTES:,} bytes")
        finally:
            await response.aclose()
        retry_after = {
            name: response.headers[name] for name in ("Retry-After",) if name in response.headers
        }
        return httpx.Response(response.status_code, headers=retry_after, content=bytes(body))

    def _read(self, response: httpx.Response, target: type[T]) -> T:
        try:
            return from_json(response.content, target)
        except WireError as error:
            raise NoAnswerError(f"{self.url} does not answer as an edgenas server: {error}") from error

    def _error_body(self, response: httpx.Response) -> ErrorBody:
        try:
            return from_json(response.content, ErrorBody)
        except WireError:
            detail = f"{self.url} gave no reason; is it the address of an edgenas server?"
            return ErrorBody("unknown", response.reason_phrase, response.status_code, detail)


def _retry_after_s(response: httpx.Response) -> float:
    """Return the seconds of ``Retry-After``, at most an hour; a date, which HTTP allows, counts as 0."""
    text = response.headers.get("Retry-After", "")
    return min(float(text), _LONGEST_RETRY_AFTER_S) if text.isascii() and text.isdigit() else 0.0


def _words(error: httpx.TransportError) -> str:
    return str(error) or type(error).__name__
