"""The images below a folder by their names, and what lies there besides; nothing is opened."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

IMAGE_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("png", "jpg", "jpeg", "jpe", "jfif", "bmp", "gif"),
        *("webp", "ppm", "pgm", "pbm", "pnm", "tif", "tiff"),
    )
)

_SYSTEM_FOLDERS = frozenset(("__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN"))
"""What archives and file systems put beside the files of a user; hidden folders are skipped as well."""

_SYSTEM_FILES = frozenset(("thumbs.db", "desktop.ini", "ehthumbs.db"))


@dataclass(frozen=True, slots=True)
class FolderImages:
    """What was found below a folder."""

    images: tuple[Path, ...]
    """By name."""
    left_out: tuple[Path, ...]
    """Files that are no images by their name or kind, hidden images, and links to a folder above."""


def find_images(folder: Path) -> FolderImages:
    """Return the images in a folder and in the folders below it.

    Raises:
        ValueError: a folder cannot be read; the message names it.
    """
    images: list[Path] = []
    left_out: list[Path] = []
    for path, is_image in _files(folder, _folders_above(folder)):
        (images if is_image else left_out).append(path)
    return FolderImages(tuple(sorted(images)), tuple(sorted(left_out)))


def has_images(folder: Path) -> bool:
    """Tell whether there is an image below a folder, without looking at more than that takes."""
    return any(is_image for _, is_image in _files(folder, _folders_above(folder)))


def sub_folders(folder: Path) -> tuple[Path, ...]:
    """Return the folders in a folder by name, but hidden ones and those that a system puts there."""
    return tuple(Path(entry.path) for entry in _entries(folder) if _is_folder(entry) and _is_ours(entry))


def first_names(paths: Sequence[Path], below: Path) -> str:
    """Return the first names of some files, as seen from a folder."""
    names = ", ".join(shown(path.relative_to(below)) for path in paths[:3])
    return f"{names}{', ...' if len(paths) > 3 else ''}"


def shown(path: Path) -> str:
    """Return a path as text that can be printed and sent; bytes that are no UTF-8 become question marks."""
    return os.fsencode(path).decode("utf-8", "replace")


def _folders_above(folder: Path) -> frozenset[tuple[int, int]]:
    """Return the device and the number of each folder above one: links to them lead out of a class."""
    places = (parent.stat() for parent in folder.absolute().parents)
    return frozenset((place.st_dev, place.st_ino) for place in places)


def _files(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[tuple[Path, bool]]:
    """Yield each file below a folder, and whether it is an image that is read."""
    place = folder.stat()
    here = (place.st_dev, place.st_ino)
    if here in above:
        yield folder, False
        return
    for entry in _entries(folder):
        path = Path(entry.path)
        if _is_folder(entry):
            if _is_ours(entry):
                yield from _files(path, above | {here})
        elif entry.name.startswith("."):
            # "._x.png" is what macOS keeps about x.png; any other hidden image is someone's.
            if _is_image(path) and not entry.name.startswith("._"):
                yield path, False
        elif entry.name.lower() not in _SYSTEM_FILES:
            yield path, _is_image(path)


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise ValueError(
            f"cannot read folder {str(folder)!r}: {error.strerror}; let the server's user read it"
        ) from error


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that leads to itself: no folder, and as a file it cannot be opened.
        return False


def _is_ours(entry: "os.DirEntry[str]") -> bool:
    return not entry.name.startswith(".") and entry.name not in _SYSTEM_FOLDERS


def _is_image(path: Path) -> bool:
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return False
    # A pipe or a socket would be waited for; a link that leads nowhere is named when it is read.
    return os.path.isfile(path) or not os.path.exists(path)
