"""Pages and sign-in.

A page is a shell without data. A browser signs in with a token of scope user, which the server keeps in
a cookie that no script can read and no other site's request carries. To change something a page sends the
word of its session as well, which ``GET /session`` tells it. ``/login#token=...`` signs in by itself: what
stands behind ``#`` is never sent or logged.
"""

import json
import shlex
from dataclasses import dataclass
from typing import get_args

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from search_server.errors import ForbiddenError
from search_server.resources.formats import ImportFormat
from search_server.resources.models import MAX_MODEL_BYTES, PART_BYTES
from search_server.routes.auth import UserDep
from search_server.routes.browser_session import SESSION_COOKIE, csrf_token, require_own_origin
from search_server.routes.context import Context, ContextDep, DatabaseDep, NowDep
from search_server.routes.error_answers import answer_error
from search_server.routes.install import InstallCommandDep
from search_server.tokens import authenticate, unauthenticated
from search_server.web.assets import asset_response
from search_server.web.form_fields import form_fields
from search_server.web.model_formats import MODEL_FORMATS, runtimes_by_format
from shared.architecture import KNOWN_ARCHITECTURES
from shared.runtimes import DTYPES
from shared.search_space import SPACE_NAMES, search_space

router = APIRouter(include_in_schema=False)

SESSION_MAX_AGE_S = 30 * 24 * 3600

_CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_templates = Environment(
    loader=PackageLoader("search_server.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


@dataclass(frozen=True, slots=True)
class SessionCreate:
    """A browser signs in."""

    token: str


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """What a page knows of its session."""

    user: str
    is_admin: bool
    csrf_token: str
    """What the page's script sends with a change."""


@router.get("/")
def overview_page() -> HTMLResponse:
    """Searches, tables and devices at a glance."""
    return _page("overview")


@router.get("/login")
def login_page(request: Request, context: ContextDep) -> HTMLResponse:
    """Where a token is pasted; who sits at the server's own machine is told its data folder."""
    is_local = request.client is not None and request.client.host in ("127.0.0.1", "::1")
    return _page("login", token_command=_token_command(context if is_local else None, "user"))


@router.get("/devices")
def devices_page(context: ContextDep, install: InstallCommandDep) -> HTMLResponse:
    """All devices."""
    return _page(
        "devices",
        token_command=_token_command(context, "enrol --ttl 1h"),
        install=install,
        spaces=" ".join(SPACE_NAMES),
        networks=" ".join(_networks()),
    )


@router.get("/tables")
def tables_page() -> HTMLResponse:
    """All latency tables, and a form that imports one."""
    return _page("tables", formats=(*get_args(ImportFormat), "whole-network-csv"), spaces=SPACE_NAMES)


@router.get("/tables/compare")
def compare_tables_page() -> HTMLResponse:
    """Two latency tables side by side."""
    return _page("compare_tables")


@router.get("/tables/{snapshot}")
def table_page(snapshot: str) -> HTMLResponse:
    """One latency table as a heat map."""
    return _page("table", subject=snapshot)


@router.get("/models")
def models_page() -> HTMLResponse:
    """All models that people brought, and a form that takes one more."""
    return _page("models", formats=MODEL_FORMATS, max_bytes=MAX_MODEL_BYTES, part_bytes=PART_BYTES)


@router.get("/models/compare")
def model_compare_page() -> HTMLResponse:
    """Two measurements of models side by side."""
    return _page("model_compare")


@router.get("/models/{model}")
def model_page(model: str) -> HTMLResponse:
    """One model, what was measured of it, and a form that measures it."""
    return _page("model", subject=model, runtimes=runtimes_by_format(), dtypes=DTYPES)


@router.get("/gates")
def gates_page() -> HTMLResponse:
    """Whether new models are slower than old ones, and a form that asks it."""
    return _page("gates", runtimes=runtimes_by_format(), dtypes=DTYPES)


@router.get("/searches/new")
def new_search_page() -> HTMLResponse:
    """The form that submits a search."""
    return _page("new_search", fields=form_fields(), spaces=SPACE_NAMES)


@router.get("/compare")
def compare_page() -> HTMLResponse:
    """Two searches side by side."""
    return _page("compare")


@router.get("/audit")
def audit_page() -> HTMLResponse:
    """Who changed what, for administrators."""
    return _page("audit")


@router.get("/searches/{job_id}")
def search_page(job_id: str) -> HTMLResponse:
    """One search, live."""
    return _page("search", subject=job_id, candidates=_candidates())


@router.get("/docs")
def docs_page() -> HTMLResponse:
    """The REST interface, read from ``/openapi.json``."""
    return _page("docs")


@router.get("/static/{name}")
def static_file(name: str) -> Response:
    """A script, a style, a picture."""
    return asset_response(name)


@router.get("/session")
def get_session(caller: UserDep, request: Request, response: Response) -> BrowserSession:
    """Return who is signed in; another site's page may ask, but never sees the answer."""
    text = request.cookies.get(SESSION_COOKIE)
    if text is None:
        raise unauthenticated("the browser is not signed in")
    response.headers["Cache-Control"] = "no-store"
    return BrowserSession(caller.owner, caller.is_admin, csrf_token(text))


@router.post("/session", status_code=204)
def sign_in(
    create: SessionCreate, request: Request, context: ContextDep, database: DatabaseDep, now: NowDep
) -> Response:
    """Keep a token in the browser's cookie."""
    if "Origin" in request.headers:  # else another site could sign a person in as somebody else
        require_own_origin(request, context.public_url)
    with database.reading() as session:
        scope = authenticate(session, create.token.strip(), now).scope
    if scope not in ("user", "admin"):
        raise ForbiddenError(
            "wrong_scope",
            f"the pages take a token of scope user or admin, got {scope}; "
            "make one with 'search-server token create --scope user'",
        )
    response = Response(status_code=204)
    response.set_cookie(
        SESSION_COOKIE,
        create.token.strip(),
        max_age=SESSION_MAX_AGE_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@router.delete("/session", status_code=204)
def sign_out() -> Response:
    """Forget the browser's token."""
    response = Response(status_code=204)
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
    return response


def install_unknown_page(app: FastAPI) -> None:
    """Answer a browser that asks for a page that does not exist with a page; programs get their JSON."""

    async def answer_unknown(request: Request, error: Exception) -> Response:
        if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
            page = _page("unknown", subject=request.url.path)
            page.status_code = 404
            return page
        return await answer_error(request, error)

    app.add_exception_handler(404, answer_unknown)


def _networks() -> tuple[str, ...]:
    """Return what a form offers as networks: the blocks of all named spaces, and known names."""
    blocks = dict.fromkeys(block for name in SPACE_NAMES for block in search_space(name).candidates)
    return (*blocks, *KNOWN_ARCHITECTURES)


def _candidates() -> str:
    """Return the candidate blocks of each named space, as JSON by name."""
    return json.dumps({name: search_space(name).candidates for name in SPACE_NAMES})


def _token_command(context: Context | None, scope: str) -> str:
    """Return the command that makes a token of this server; without a context it names no folder."""
    folder = f" --data {shlex.quote(str(context.data_dir.absolute()))}" if context else ""
    return f"search-server token create --scope {scope}{folder}"


def _page(name: str, subject: str = "", **values: object) -> HTMLResponse:
    html = _templates.get_template(f"{name}.html").render(page=name, subject=subject, **values)
    return HTMLResponse(html, headers=_HEADERS)
