"""A result as it is stored: JSON, compressed with zlib, with the SHA-256 of these bytes beside it."""

import hashlib
import zlib

from search_server.db.stored_json import without_half_pairs
from search_server.errors import DamagedError
from shared.protocol.measurement import Result
from shared.protocol.wire import from_json, to_json


def pack_result(result: Result) -> tuple[bytes, str]:
    """Return what is stored of a result, and its SHA-256 as 64 hex digits."""
    body = zlib.compress(to_json(result).encode(), level=3)
    return body, hashlib.sha256(body).hexdigest()


def unpack_result(result_id: int, body: bytes, body_sha256: str) -> Result:
    """Return a stored result.

    Raises:
        DamagedError: the bytes are not those that were stored.
    """
    if not is_whole(body, body_sha256):
        raise DamagedError(
            "damaged_result",
            f"result {result_id} is damaged in the database: its bytes do not have the SHA-256 that they "
            "were stored with; 'search-server doctor --deep' lists all that is damaged, and 'search-server "
            "restore' brings a backup back",
        )
    return from_json(without_half_pairs(zlib.decompress(body).decode()), Result)


def is_whole(body: bytes, body_sha256: str) -> bool:
    """Tell whether bytes have this SHA-256."""
    return hashlib.sha256(body).hexdigest() == body_sha256
