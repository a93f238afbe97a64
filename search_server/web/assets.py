"""Files that the pages load: own modules, styles and pictures."""

from functools import cache
from importlib import resources
from pathlib import PurePosixPath

from starlette.responses import Response

from search_server.errors import NotFoundError

_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def asset_response(name: str) -> Response:
    """Return one file.

    Raises:
        NotFoundError: no file of this name.
    """
    files = _own_files()
    if name not in files:
        raise NotFoundError("unknown_file", f"no file /static/{name}")
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return Response(files[name], media_type=_MEDIA_TYPES[PurePosixPath(name).suffix], headers=headers)


@cache
def _own_files() -> dict[str, bytes]:
    folder = resources.files("search_server.web") / "static"
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}
