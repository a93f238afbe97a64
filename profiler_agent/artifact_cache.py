"""Model files on disk, named by the SHA-256 of their bytes.

A file has its name only once all its bytes are there and hash to it, so whatever has a name is whole.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ArtifactMismatchError(ValueError):
    """Bytes from outside are not those that were announced."""


class _BoundedWriter:
    """A file that hashes what passes and refuses to grow beyond a limit."""

    def __init__(self, descriptor: int, limit_bytes: int) -> None:
        self._file = os.fdopen(descriptor, "wb")
        self._limit_bytes = limit_bytes
        self._hash = hashlib.sha256()
        self._size_bytes = 0

    def write(self, chunk: bytes) -> None:
        """Append bytes.

        Raises:
            ArtifactMismatchError: the file would pass its limit.
        """
        self._size_bytes += len(chunk)
        if self._size_bytes > self._limit_bytes:
            raise ArtifactMismatchError(
                f"the artifact is larger than the {self._limit_bytes:,} bytes allowed"
            )
        self._hash.update(chunk)
        self._file.write(chunk)

    def close(self) -> str:
        """Flush to disk and return the SHA-256 of all bytes."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._hash.hexdigest()

    def discard(self) -> None:
        self._file.close()


class ArtifactCache:
    """A folder of model files; the least recently used go when it grows beyond its limit."""

    def __init__(self, folder: Path, limit_bytes: int = 2 << 30) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        folder.mkdir(parents=True, exist_ok=True)
        for torso in folder.glob("*.part"):
            torso.unlink(missing_ok=True)

    def path(self, sha256: str) -> Path | None:
        """Return where a file lies and mark it as used; None if it is not here."""
        path = self._folder / sha256
        try:
            self._mark_used(path)
        except FileNotFoundError:
            return None
        return path

    @contextmanager
    def writing(self, sha256: str, limit_bytes: int) -> Iterator[_BoundedWriter]:
        """Take in a file: write its bytes to the given writer; leaving the block keeps it if it is whole.

        Args:
            sha256: 64 lower-case hex digits (checked by ``shared.protocol.measurement.Artifact``).
            limit_bytes: refuse more than this.

        Raises:
            ArtifactMismatchError: too many bytes, or they hash to something else; nothing is kept.
        """
        descriptor, name = tempfile.mkstemp(suffix=".part", dir=self._folder)
        writer = _BoundedWriter(descriptor, limit_bytes)
        try:
            yield writer
            actual = writer.close()
            if actual != sha256:
                raise ArtifactMismatchError(
                    f"the bytes of artifact {sha256} hash to {actual}; send it again"
                )
            self._mark_used(Path(name))
            os.replace(name, self._folder / sha256)
        except BaseException:
            writer.discard()
            Path(name).unlink(missing_ok=True)
            raise
        self._evict(keep=sha256)

    def _mark_used(self, path: Path) -> None:
        """Make a file the newest of all, also where the device's clock was put back."""
        newest_ns = max((other.stat().st_mtime_ns for other in self._folder.iterdir()), default=0)
        moment_ns = max(time.time_ns(), newest_ns + 1)
        os.utime(path, ns=(moment_ns, moment_ns))

    def _evict(self, keep: str) -> None:
        entries = [(path, path.stat()) for path in self._folder.iterdir() if path.suffix != ".part"]
        excess_bytes = sum(stat.st_size for _, stat in entries) - self._limit_bytes
        for path, stat in sorted(entries, key=lambda entry: entry[1].st_mtime_ns):
            if excess_bytes <= 0:
                break
            if path.name != keep:
                path.unlink(missing_ok=True)
                excess_bytes -= stat.st_size
