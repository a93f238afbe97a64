"""Refuse bodies over a limit, by their announced length or while they arrive."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from search_server.errors import TooLargeError
from search_server.routes.error_answers import error_response


class RequestLimit:
    """Middleware around an app."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        num_bytes = 0
        has_answered = False

        async def receive_limited() -> Message:
            nonlocal num_bytes
            message = await receive()
            num_bytes += len(message.get("body", b""))
            if num_bytes > self._max_bytes:
                raise self._error()
            return message

        async def send_watched(message: Message) -> None:
            nonlocal has_answered
            has_answered = True
            await send(message)

        try:
            if self._announced_bytes(scope) > self._max_bytes:
                raise self._error()
            await self._app(scope, receive_limited, send_watched)
        except TooLargeError as error:
            if has_answered:
                raise
            await error_response(error.body())(scope, receive, send)

    def _announced_bytes(self, scope: Scope) -> int:
        text = dict(scope["headers"]).get(b"content-length", b"0")
        return int(text) if text.isdigit() else 0

    def _error(self) -> TooLargeError:
        return TooLargeError(
            "too_large",
            f"the request's body is over {self._max_bytes} bytes; send less at once, or raise "
            "EDGENAS_MAX_REQUEST_BYTES on the server",
        )
