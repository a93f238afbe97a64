"""Folders from which searches may read images: nothing else of the disk is read, listed or told apart."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from shared.image_folders import HUB_PREFIX

_HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?")

_LOADERS = frozenset(
    ("arrow", "audiofolder", "cache", "csv", "generator", "imagefolder", "json", "pandas", "parquet")
) | frozenset(("pdffolder", "spark", "sql", "text", "videofolder", "webdataset", "xml"))
"""Names by which the hub's library reads files of the working folder instead of a data set of the hub."""


@dataclass(frozen=True, slots=True)
class DataRoots:
    """What an operator lists with ``EDGENAS_DATA_ROOTS``."""

    folders: tuple[Path, ...] = ()

    def find(self, data: str, known: tuple[str, ...] = ("digits",)) -> str:
        """Return data as loaders take it: a known name, a name of the hub, or the real path of a folder.

        Links are followed before anything is looked at. A relative path is one below a root.

        Args:
            data: as a search names it.
            known: names of data sets that are no folders.

        Raises:
            ValueError: the folder is not within the roots, or a link in it leads out of them; what is not
                there and what may not be read are refused alike.
        """
        if data in known:
            return data
        if data.startswith(HUB_PREFIX):
            name, _, config = data.removeprefix(HUB_PREFIX).partition(":")
            if _HUB_NAME.fullmatch(name) and name not in _LOADERS and not os.path.lexists(name):
                return data
            folder = self._folder(name)
            return f"{HUB_PREFIX}{folder or self._refuse(data)}{config and f':{config}'}"
        before, _, choice = data.rpartition("#")
        whole = self._folder(data)
        folder = whole or (self._folder(before) if before else None) or self._refuse(data)
        self._require_links_within(folder)
        return str(folder) if folder == whole else f"{folder}#{choice}"

    def _folder(self, text: str) -> Path | None:
        """Return the real path of a folder within the roots, None if it is none."""
        for root in self.folders:
            path = _real_path(os.path.join(_real_path(root), text))
            if text and self._holds(path) and os.path.isdir(path):
                return path
        return None

    def _holds(self, path: Path) -> bool:
        return any(path.is_relative_to(_real_path(root)) for root in self.folders)

    def _refuse(self, data: str) -> Path:
        roots = ", ".join(str(root.absolute()) for root in self.folders) or "it has none"
        raise ValueError(
            f"folder {data!r} is not within the data roots of this server ({roots}); put the images there, "
            "or an operator adds their folder with EDGENAS_DATA_ROOTS. Known by name are digits and "
            "hf:NAME[:CONFIG]"
        )

    def _require_links_within(self, folder: Path) -> None:
        entered, to_read = {folder}, [folder]
        while to_read:
            with os.scandir(to_read.pop()) as entries:
                for entry in entries:
                    path = self._target(entry) if entry.is_symlink() else Path(entry.path)
                    is_folder = path.is_dir() if entry.is_symlink() else entry.is_dir(follow_symlinks=False)
                    if is_folder and path not in entered and os.access(path, os.R_OK | os.X_OK):
                        entered.add(path)
                        to_read.append(path)

    def _target(self, link: "os.DirEntry[str]") -> Path:
        path = _real_path(link.path)
        if not self._holds(path):
            raise ValueError(
                f"{link.path!r} is a link that leads out of the data roots of this server; put a copy "
                "there, or an operator adds where it leads with EDGENAS_DATA_ROOTS"
            )
        return path


NO_ROOTS = DataRoots()
"""Data sets are known by name only."""


def _real_path(path: str | Path) -> Path:
    return Path(os.path.realpath(path))
