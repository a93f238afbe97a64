"""What kind of labelled images a folder holds, told from names alone: nothing is opened.

Four kinds: ``classes``, a folder with one sub-folder of images for each class, or such folders in
``train`` and ``test``; ``idx``, the files of the MNIST family; ``cifar``, the binary version of CIFAR-10
and CIFAR-100; ``parquet``, files as in data sets of the Hugging Face hub.
"""

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.class_folders import TEST_NAMES, find_class_folders

ImageFolderKind = Literal["classes", "idx", "cifar", "parquet"]

IMAGE_FOLDERS_HINT = (
    "a folder on the server with one sub-folder of images for each class (or with such folders in train/ "
    "and test/), with MNIST's IDX files (train-images-idx3-ubyte.gz, ...), with CIFAR's binary files "
    "(data_batch_1.bin, ...), or with train*.parquet and test*.parquet"
)

HUB_PREFIX = "hf:"
"""Begins the name of a data set of the Hugging Face hub: ``hf:NAME[:CONFIG]``."""


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """A folder of labelled images, and where its parts lie."""

    kind: ImageFolderKind
    train: tuple[Path, ...]
    """``classes``: one folder for each class; ``idx``: images, labels; else data files."""
    test: tuple[Path, ...] = ()
    """The same for the folder's own test split; empty if it has none."""
    annotations: Path | None = None
    """``classes``, in place of ``test``: a file that names the class of each test image."""
    spare_tests: tuple[tuple[Path, ...], ...] = ()
    """``parquet``: what is the test split where ``test`` has no labels, in this order."""
    notes: tuple[str, ...] = ()
    """What is not read, and why."""


def split_choice(data: str) -> tuple[Path, str]:
    """Return the folder that data names, and the set in it that stands behind a ``#``, if any does."""
    whole = Path(data).expanduser()
    if whole.exists() or "#" not in data:
        return whole, ""
    folder, _, choice = data.rpartition("#")
    return Path(folder).expanduser(), choice


def find_image_folder(folder: Path, choice: str = "") -> ImageFolder:
    """Return what a folder holds.

    Args:
        folder: that holds labelled images.
        choice: one of several sets of IDX files in it, by the beginning of their names.

    Raises:
        ValueError: it does not exist, holds nothing of the known kinds, or holds several sets and none is
            chosen; the message says what would do.
    """
    if folder.is_file():
        raise ValueError(f"data {str(folder)!r} is a file, not a folder; unpack an archive")
    if not folder.is_dir():
        raise ValueError(f"no folder {str(folder)!r} on the server: data is {IMAGE_FOLDERS_HINT}")
    try:
        found = _find_idx(folder, choice)
        if choice and not found:
            raise ValueError(f"#{choice} names a set of IDX files, and folder {str(folder)!r} has none")
        found = found or _find_cifar(folder) or _find_parquet(folder)
        if found:
            return found
        classes = find_class_folders(folder, IMAGE_FOLDERS_HINT)
    except OSError as error:
        raise ValueError(
            f"cannot read {error.filename!r}: {error.strerror}; let the server's user read it"
        ) from error
    return ImageFolder(
        "classes", classes.train, classes.test, annotations=classes.annotations, notes=classes.notes
    )


def _find_idx(folder: Path, choice: str) -> ImageFolder | None:
    images = _files(folder, "*train-images*idx3-ubyte*")
    # "emnist-digits-train-images-idx3-ubyte.gz" belongs to the set "emnist-digits".
    sets = sorted({path.name.partition("train-images")[0] for path in images})
    if not sets:
        return None
    names = [each.rstrip("-_.") for each in sets]
    chosen = [
        each
        for each, name in zip(sets, names, strict=True)
        if not choice or choice == name or name.endswith((f"-{choice}", f"_{choice}"))
    ]
    if len(chosen) != 1:
        raise ValueError(
            f"folder {str(folder)!r} holds the sets {', '.join(name or '(no name)' for name in names)} of "
            f"IDX files; choose one with {folder}#{names[-1]}"
        )
    train = _pair(folder, f"{chosen[0]}train")
    test = _pair(folder, f"{chosen[0]}t10k") or _pair(folder, f"{chosen[0]}test")
    return ImageFolder("idx", train, test) if train else None


def _pair(folder: Path, part: str) -> tuple[Path, ...]:
    """Return the images and the labels of a part of a set of IDX files; nothing if there is none."""
    images = _files(folder, f"{glob.escape(part)}-images*idx3-ubyte*")
    labels = _files(folder, f"{glob.escape(part)}-labels*idx1-ubyte*")
    if images and not labels:
        raise ValueError(
            f"folder {str(folder)!r} has {images[0].name} without its labels; put "
            f"{part}-labels-idx1-ubyte.gz beside it"
        )
    return (images[0], labels[0]) if images and labels else ()


def _find_cifar(folder: Path) -> ImageFolder | None:
    train = _files(folder, "data_batch_*.bin") or _files(folder, "train.bin")
    test = _files(folder, "test_batch.bin") or _files(folder, "test.bin")
    if train:
        return ImageFolder("cifar", train, test)
    if (folder / "data_batch_1").is_file():
        raise ValueError(
            f"folder {str(folder)!r} holds CIFAR as Python pickles, which can run code when they are read; "
            "take the binary version, cifar-10-binary.tar.gz"
        )
    return None


def _find_parquet(folder: Path) -> ImageFolder | None:
    files = sorted((*_files(folder, "*.parquet"), *_files(folder, "*/*.parquet")))
    train = tuple(path for path in files if path.name.startswith("train"))
    if files and not train:
        raise ValueError(
            f"folder {str(folder)!r} has parquet files but none named train*.parquet; the training images "
            f"are read from those, and the test images from test*.parquet; there is {files[0].name}"
        )
    if not train:
        return None
    parts: list[tuple[Path, ...]] = []
    for name in TEST_NAMES:
        taken = {path for part in parts for path in part}
        part = tuple(path for path in files if path.name.startswith(name) and path not in taken)
        parts += [part] if part else []
    return ImageFolder("parquet", train, parts[0] if parts else (), spare_tests=tuple(parts[1:]))


def _files(folder: Path, pattern: str) -> tuple[Path, ...]:
    """Return files by a pattern, in order; hidden ones are what a system keeps about others."""
    return tuple(sorted(path for path in folder.glob(pattern) if not path.name.startswith(".")))
