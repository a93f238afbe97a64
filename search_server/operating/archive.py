"""A backup as a file: one tar, whose last member lists all others with their SHA-256.

A file that was cut off has no such list, so it can never be taken for a whole backup.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from shared.protocol.wire import from_json, to_json

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "database"
"""Name of the member that holds the database."""

_PART_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One member of the tar."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is of."""

    made_at: str
    """UTC, ISO 8601."""
    edgenas_version: str
    database: str
    """sqlite | postgresql."""
    database_version: str
    migration: str
    """The newest migration that the database had."""
    files: tuple[StoredFile, ...] = ()
    missing: tuple[str, ...] = ()
    """Files that the database names but that were not there."""
    format: int = FORMAT


@dataclass(slots=True)
class ArchiveWriter:
    """Takes files into a tar that is being written."""

    tar: tarfile.TarFile
    files: list[StoredFile] = field(default_factory=list)

    def add(self, source: Path, name: str) -> bool:
        """Take a file in under a name; False if there is none (any more)."""
        try:
            file = source.open("rb")
        except FileNotFoundError:
            return False
        with file:
            info = tarfile.TarInfo(name)
            info.size, info.mode = os.fstat(file.fileno()).st_size, 0o600
            # What is replaced meanwhile stays as it was opened; what grows is cut at its size of now.
            hashing = _Hashing(file)
            self.tar.addfile(info, hashing)
        self.files.append(StoredFile(name, info.size, hashing.sha256.hexdigest()))
        return True

    def add_content(self, content: bytes, name: str) -> None:
        """Take bytes in under a name."""
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o600
        self.tar.addfile(info, io.BytesIO(content))
        self.files.append(StoredFile(name, info.size, hashlib.sha256(content).hexdigest()))


@contextmanager
def written_archive(path: Path) -> Iterator[ArchiveWriter]:
    """Write a tar that only its owner reads; it gets its name once all is in it.

    Raises:
        ValueError: there is a file of this name already, or no folder for it.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        if path.exists():
            raise ValueError(f"{path} exists already; name another file, or remove that one")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise ValueError(f"{path} cannot be written ({error.strerror}); name another file") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            with tarfile.open(fileobj=file, mode="w") as tar:
                yield ArchiveWriter(tar)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def finish_archive(writer: ArchiveWriter, manifest: Manifest) -> None:
    """Write the list of files, the last member."""
    content = to_json(manifest).encode()
    info = tarfile.TarInfo(MANIFEST)
    info.size, info.mode = len(content), 0o600
    writer.tar.addfile(info, io.BytesIO(content))


def verified_manifest(tar: tarfile.TarFile) -> Manifest:
    """Return what a backup is of, after all its bytes were checked.

    Raises:
        ValueError: it is no whole backup: something is missing, was added or was changed.
    """
    members = {info.name: info for info in tar.getmembers()}
    listed = members.pop(MANIFEST, None)
    text = tar.extractfile(listed) if listed is not None else None
    if text is None:
        raise ValueError(f"this is no whole backup: it has no {MANIFEST} at its end; take another file")
    manifest = from_json(text.read(), Manifest)
    if manifest.format > FORMAT:
        raise ValueError(
            f"the backup has format {manifest.format}, this version reads up to {FORMAT}; upgrade"
        )
    if set(members) != {stored.path for stored in manifest.files}:
        odd = sorted(set(members) ^ {stored.path for stored in manifest.files})[0]
        raise ValueError(f"the backup and its list differ in {odd!r}; take another file")
    for stored in manifest.files:
        content = tar.extractfile(members[stored.path])
        parts = PurePosixPath(stored.path).parts
        if content is None or ".." in parts or parts[0] not in (DATABASE, "artifacts", "searches"):
            raise ValueError(f"the backup holds {stored.path!r}, which no backup has; take another file")
        if hashlib.file_digest(content, "sha256").hexdigest() != stored.sha256:  # type: ignore[arg-type]
            raise ValueError(
                f"the backup is damaged: {stored.path} does not have its SHA-256; take another file"
            )
    return manifest


def extract(tar: tarfile.TarFile, stored: StoredFile, target: Path) -> None:
    """Write one file of a verified backup, for its owner alone.

    Raises:
        OSError: it cannot be written.
    """
    content = tar.extractfile(stored.path)
    assert content is not None, "verified before"
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while part := content.read(_PART_BYTES):
            file.write(part)


class _Hashing(io.RawIOBase):
    """A file that is read through, with the SHA-256 of what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        part = self._file.read(size)
        self.sha256.update(part)
        return part
