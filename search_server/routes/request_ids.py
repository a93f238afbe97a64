"""Each request has an id: the caller's X-Request-ID or a new one, in its answer and log lines."""

import re
import secrets
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID_HEADER = "X-Request-ID"

_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Anything else in the header could forge a line of the log."""

_log = structlog.get_logger()


class RequestIds:
    """Middleware around an app, the outermost one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = given if _SANE.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        # Never unbound: an error that nothing caught is logged outside of this middleware.
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=request_id)
        began_s = time.monotonic()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
                wall_s = round(time.monotonic() - began_s, 4)
                status = message["status"]
                _log.debug(
                    "answered", method=scope["method"], path=scope["path"], status=status, wall_s=wall_s
                )
            await send(message)

        await self._app(scope, receive, send_with_id)
