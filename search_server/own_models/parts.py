"""Files on their way in: each is sent in parts, in any number of requests, into a file named by its hash.

Nothing but the hash of the whole names a file, so a part that is sent twice changes nothing, and who was
cut off goes on where the server stands.
"""

import hashlib
from datetime import datetime, timedelta
from pathlib import Path

from search_server.errors import ConflictError, InvalidValueError, NotFoundError, TooLargeError
from search_server.resources.models import MAX_MODEL_BYTES

MAX_WAITING_BYTES = 4 << 30
"""All files together that have begun to come and are not complete."""
KEPT_FOR = timedelta(hours=24)
"""Since the last part."""


def part_path(data_dir: Path, sha256: str) -> Path:
    """Return where the parts of a file are put together.

    Raises:
        InvalidValueError: not 64 lower-case hex digits.
    """
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise InvalidValueError(
            "invalid_value", f"sha256 must be 64 lower-case hex digits, got {sha256[:80]!r}"
        )
    return data_dir / "uploads" / f"{sha256}.part"


def received_bytes(data_dir: Path, sha256: str) -> int:
    """Return how much of a file is there, from its beginning."""
    path = part_path(data_dir, sha256)
    return path.stat().st_size if path.exists() else 0


def write_part(data_dir: Path, sha256: str, offset: int, content: bytes) -> int:
    """Write a part at its place and return how much of the file is there.

    Raises:
        ConflictError: it begins behind what is there.
        TooLargeError: the file, or all waiting files together, would be too large.
    """
    path = part_path(data_dir, sha256)
    received = received_bytes(data_dir, sha256)
    if offset > received:
        raise ConflictError(
            "missing_part", f"the part begins at byte {offset}, the server has {received}; go on from there"
        )
    if offset + len(content) > MAX_MODEL_BYTES:
        raise TooLargeError("too_large", f"a model file has at most {MAX_MODEL_BYTES:,} bytes")
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = sum(each.stat().st_size for each in path.parent.glob("*.part"))
    if waiting + len(content) > MAX_WAITING_BYTES:
        raise TooLargeError(
            "too_many_uploads",
            f"files that are not complete take {waiting:,} bytes, at most {MAX_WAITING_BYTES:,} are kept; "
            f"complete them, or wait: they go {KEPT_FOR.days * 24} hours after their last part",
        )
    path.touch()
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)
    return received_bytes(data_dir, sha256)


def whole_file(data_dir: Path, sha256: str, size_bytes: int) -> bytes:
    """Return the bytes of a file whose parts are all there.

    Raises:
        NotFoundError: no part of it has come.
        ConflictError: some are missing.
        InvalidValueError: the bytes are others than announced; they are thrown away.
    """
    path = part_path(data_dir, sha256)
    if not path.exists():
        raise NotFoundError("unknown_upload", f"no part of a file with SHA-256 {sha256} has come")
    if (received := path.stat().st_size) < size_bytes:
        raise ConflictError(
            "missing_part", f"{received:,} of {size_bytes:,} bytes are there; send the rest"
        )
    content = path.read_bytes()
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256 or len(content) != size_bytes:
        path.unlink(missing_ok=True)
        raise InvalidValueError(
            "wrong_hash",
            f"{len(content):,} bytes came that hash to {actual}, announced were {size_bytes:,} bytes of "
            f"{sha256}; send the file again",
        )
    return content


def drop_old_parts(data_dir: Path, now: datetime) -> int:
    """Throw away what was begun and left; return the number of files."""
    folder = data_dir / "uploads"
    oldest_s = (now - KEPT_FOR).timestamp()
    old = [path for path in folder.glob("*.part") if path.stat().st_mtime < oldest_s]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
