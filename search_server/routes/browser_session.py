"""A browser's session: the token in its cookie, which changes things for the server's own pages only."""

import hashlib
import hmac
from urllib.parse import urlsplit

from fastapi import Request

from search_server.errors import ForbiddenError

SESSION_COOKIE = "edgenas_session"
"""Where the pages keep a user's token. No script reads it, and no request of another site carries it."""

CSRF_HEADER = "X-Edgenas-CSRF"
"""What a page's script sends with a change: the word of its session, which only own pages read."""


def csrf_token(text: str) -> str:
    """Return the word that belongs to the session of this token; nobody makes it without the token."""
    return hmac.new(text.encode(), b"edgenas csrf", hashlib.sha256).hexdigest()


def session_token(request: Request, public_url: str | None) -> str | None:
    """Return the token of a request's session; None: it has none.

    Raises:
        ForbiddenError: the request changes something, and does not come from a page of this server.
    """
    text = request.cookies.get(SESSION_COOKIE)
    if text is not None and request.method != "GET":
        require_own_origin(request, public_url)
        # Bytes, as a header may hold what is not ASCII, which compare_digest does not take as text.
        sent = request.headers.get(CSRF_HEADER, "").encode()
        if not hmac.compare_digest(sent, csrf_token(text).encode()):
            raise ForbiddenError(
                "wrong_csrf_token",
                f"the header {CSRF_HEADER} is missing or belongs to another session; load the page again "
                "(a program sends 'Authorization: Bearer TOKEN' and needs no such header)",
            )
    return text


def require_own_origin(request: Request, public_url: str | None) -> None:
    """Return if a browser sent the request from a page of this server.

    The host and port decide, not the scheme: behind a proxy with TLS the server does not know its own.

    Raises:
        ForbiddenError: another site's page sent it, or nothing tells which one did.
    """
    origin, host = request.headers.get("Origin", ""), request.headers.get("Host", "")
    own = {host.lower()} | ({urlsplit(public_url).netloc.lower()} if public_url else set())
    sender = origin.partition("://")[2].lower()  # no sender, such as "null", has none of this
    if not sender or sender not in own:
        raise ForbiddenError(
            "foreign_origin",
            f"a browser's session changes things from this server's own pages only: the request comes from "
            f"{origin[:200] or 'no page'}, the server is {host}; open the server's address and do it there",
        )
