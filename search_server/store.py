"""The store: what jobs leave as files, by name, in a folder or behind any URL that fsspec knows.

A file is whole or not there. A name is a path with slashes, such as ``searches/<job>/search.pt``. Server
and workers name the same store; then no two of them need a common disk.
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import fsspec
from fsspec.implementations.local import LocalFileSystem

_SEAL = b"edgenas-sha256"
"""Ends a sealed file, behind its content and the 32 bytes of the content's SHA-256."""
_PART = ".part"
"""Ends the name of a file that is being written."""


@dataclass(frozen=True, slots=True)
class Store:
    """Files by name."""

    url: str
    """Where they are, for people."""
    _files: Any
    """``fsspec.AbstractFileSystem``, which has no types."""
    _root: str

    @classmethod
    def at(cls, place: Path | str) -> Self:
        """Return the store in a folder, or behind a URL such as ``file:///srv/edgenas`` or ``s3://bucket/x``.

        Raises:
            ValueError: nothing here reads such a URL; the message says what to install.
        """
        if isinstance(place, Path):
            return cls(str(place), LocalFileSystem(), str(place.absolute()))
        try:
            files, root = fsspec.core.url_to_fs(place, use_listings_cache=False)
        except ImportError as error:
            raise ValueError(f"the store {place} needs a package that is not installed: {error}") from error
        except ValueError as error:
            raise ValueError(
                f"the store {place} has a URL of no known kind ({error}); such are file:///folder and "
                "s3://bucket/folder"
            ) from error
        return cls(place, files, root.rstrip("/"))

    def write(self, name: str, content: bytes) -> None:
        """Write a file, in place of an earlier one of this name."""
        if isinstance(self._files, LocalFileSystem):
            _write_whole(Path(self._path(name)), content)
        else:
            self._files.pipe_file(self._path(name), content)  # object stores show whole objects only

    def read(self, name: str) -> bytes:
        """Return what a file holds.

        Raises:
            FileNotFoundError: there is no such file.
        """
        content: bytes = self._files.cat_file(self._path(name))
        return content

    def write_sealed(self, name: str, content: bytes) -> None:
        """Write a file that ends with its own SHA-256, for ourselves alone to read."""
        self.write(name, content + hashlib.sha256(content).digest() + _SEAL)

    def read_sealed(self, name: str) -> bytes:
        """Return what a sealed file holds; one of an earlier version has no seal and is taken as it is.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it does not have its SHA-256.
        """
        whole = self.read(name)
        if not whole.endswith(_SEAL):
            return whole
        digest_start = len(whole) - len(_SEAL) - hashlib.sha256().digest_size
        content, digest = whole[:digest_start], whole[digest_start : -len(_SEAL)]
        if hashlib.sha256(content).digest() != digest:
            raise ValueError(
                f"{name} in the store {self.url} is damaged: it does not have the SHA-256 that was written "
                "with it; bring a backup back, or remove the file to have its work done again"
            )
        return content

    def has(self, name: str) -> bool:
        """Return whether there is a file of this name."""
        return bool(self._files.isfile(self._path(name)))

    def size_bytes(self, name: str) -> int:
        """Return the size of a file that is there."""
        return int(self._files.size(self._path(name)))

    def names(self, folder: str) -> list[str]:
        """Return the names of all files in a folder and below it, in order."""
        found = self._files.find(self._path(folder))
        names = [path[len(self._root) + 1 :] for path in found if not path.endswith(_PART)]
        return sorted(names)

    def remove(self, name: str) -> None:
        """Remove a file; it need not be there."""
        try:
            self._files.rm_file(self._path(name))
        except FileNotFoundError:
            return

    def remove_folder(self, folder: str) -> None:
        """Remove all files in a folder and below it; there need be none."""
        if self._files.exists(self._path(folder)):
            self._files.rm(self._path(folder), recursive=True)

    def local_path(self, name: str) -> Path | None:
        """Return where a file lies on this machine's disk; None: it lies elsewhere."""
        return Path(self._path(name)) if isinstance(self._files, LocalFileSystem) else None

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"


def _write_whole(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=_PART, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
