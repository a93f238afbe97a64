"""A file of the store as an answer."""

from collections.abc import Mapping

from fastapi import Response
from fastapi.responses import FileResponse

from search_server.store import Store


def stored_file(store: Store, name: str, headers: Mapping[str, str]) -> Response:
    """Return a file from the disk where it lies on one, and read it from the store otherwise."""
    path = store.local_path(name)
    media_type = "application/octet-stream"
    if path is not None:
        return FileResponse(path, media_type=media_type, headers=headers)
    return Response(store.read(name), media_type=media_type, headers=dict(headers))
