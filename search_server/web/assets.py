"""Files that the pages load: own modules and styles, and Plotly out of its Python package."""

import gzip
import re
from functools import cache
from importlib import metadata, resources
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import Response

from search_server.errors import NotFoundError

PLOTLY = f"plotly-{metadata.version('plotly')}.min.js"
"""The version is in the name, so that a browser may keep the file for ever."""

_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_FOR_EVER = "public, max-age=31536000, immutable"


def asset_response(name: str, request: Request) -> Response:
    """Return one file; compressed where the browser takes that.

    Raises:
        NotFoundError: no file of this name.
    """
    if name == PLOTLY:
        return _plotly_response(request)
    files = _own_files()
    if name not in files:
        raise NotFoundError("unknown_file", f"no file /static/{name}")
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return Response(files[name], media_type=_MEDIA_TYPES[PurePosixPath(name).suffix], headers=headers)


@cache
def _own_files() -> dict[str, bytes]:
    folder = resources.files("search_server.web") / "static"
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}


@cache
def plotly_style_ids() -> tuple[str, ...]:
    """Return the ids of style elements that Plotly adds for its geographic maps unless they are there.

    The page's policy forbids such elements and nobody draws such maps here, so pages carry empty ones.
    """
    return tuple(re.findall(r'if\(!document\.getElementById\("([0-9a-f]{64})"\)', _plotly_file().decode()))


@cache
def _compressed_plotly() -> bytes:
    return gzip.compress(_plotly_file())


def _plotly_file() -> bytes:
    return (resources.files("plotly") / "package_data" / "plotly.min.js").read_bytes()


def _plotly_response(request: Request) -> Response:
    headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(_compressed_plotly(), media_type="text/javascript", headers=headers)
    return Response(_plotly_file(), media_type="text/javascript", headers=headers)
