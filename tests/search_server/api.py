"""Talk to an app as its users do."""

from collections.abc import Callable
from datetime import timedelta
from functools import cached_property
from typing import Any

import httpx
from fastapi import FastAPI

from search_server.tokens import Scope
from shared.protocol.wire import ErrorBody, from_json, to_dict

MakeToken = Callable[[Scope, timedelta | None], str]


class Api:
    """An app with a client and the means to make tokens."""

    def __init__(self, app: FastAPI, http: httpx.AsyncClient, make_token: MakeToken) -> None:
        self.app = app
        self.http = http
        self.make_token = make_token

    @cached_property
    def user(self) -> str:
        """A user's token."""
        return self.make_token("user", None)

    async def send(
        self, method: str, path: str, body: object = None, token: str | None = None, **options: Any
    ) -> httpx.Response:
        """Send a request with a token; a body is sent as JSON."""
        headers = {"Authorization": f"Bearer {token or self.user}", **options.pop("headers", {})}
        json = to_dict(body) if body is not None else None
        return await self.http.request(method, path, json=json, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> Any:
        """Return what a GET answers, which must succeed."""
        response = await self.send("GET", path, **options)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, body: object = None, **options: Any) -> Any:
        """Return what a POST answers, which must succeed."""
        response = await self.send("POST", path, body, **options)
        assert response.is_success, response.text
        return response.json()

    async def refused(self, method: str, path: str, body: object = None, **options: Any) -> ErrorBody:
        """Return the error body of a request, which must be refused."""
        response = await self.send(method, path, body, **options)
        assert response.headers["content-type"] == "application/problem+json", response.text
        error = from_json(response.content, ErrorBody)
        assert error.status == response.status_code
        return error
