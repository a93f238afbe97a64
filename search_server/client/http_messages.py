"""Requests and answers of :mod:`search_server.client.endpoints` as HTTP messages, sent by nobody here."""

from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar, cast

import httpx

from search_server.client.endpoints import EventStream, Request
from search_server.client.errors import ServerRefusedError, UnexpectedAnswerError
from shared.protocol.wire import ErrorBody, WireError, from_json, to_json

T = TypeVar("T")


def http_request(server_url: str, token: str | None, request: Request[T]) -> httpx.Request:
    """Return the message that carries a request."""
    headers = {"Accept": "application/json", **_authorization(token), **request.headers}
    content: bytes | str | None = None
    if isinstance(request.body, bytes):
        content = request.body
    elif request.body is not None:
        content = to_json(request.body)
        headers["Content-Type"] = "application/json"
    url = f"{server_url}/api/v1{request.path}"
    return httpx.Request(request.method, url, params=request.params, headers=headers, content=content)


def event_request(
    server_url: str, token: str | None, stream: EventStream[Any], headers: Mapping[str, str]
) -> httpx.Request:
    """Return the message that opens a stream of events."""
    url = f"{server_url}/api/v1{stream.path}"
    return httpx.Request("GET", url, headers={**_authorization(token), **headers})


def read_answer(request: Request[T], response: httpx.Response) -> T:
    """Return what a response says.

    Raises:
        ServerRefusedError: the response is an error body.
        UnexpectedAnswerError: the response has another form than the request's answer.
    """
    if not response.is_success:
        refuse(response)
    if request.answer is bytes:
        return cast(T, response.content)
    try:
        return from_json(response.content, request.answer)
    except WireError as error:
        raise UnexpectedAnswerError(str(response.url), str(error)) from error


def refuse(response: httpx.Response) -> NoReturn:
    """Raise what an unsuccessful response means.

    Raises:
        ServerRefusedError: the response is an error body.
        UnexpectedAnswerError: it is anything else, such as a proxy's page.
    """
    try:
        body = from_json(response.content, ErrorBody)
    except WireError:
        reason = f"status {response.status_code} without an error body"
        raise UnexpectedAnswerError(str(response.url), reason) from None
    raise ServerRefusedError(body)


def _authorization(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
