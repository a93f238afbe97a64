"""What kind of labelled images a folder holds, told from names alone: nothing is opened.

Four kinds: ``classes``, a folder with one sub-folder of images for each class, or such folders in
``train`` and ``test``; ``idx``, the files of the MNIST family; ``cifar``, the binary version of CIFAR-10
and CIFAR-100; ``parquet``, files as in data sets of the Hugging Face hub.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ImageFolderKind = Literal["classes", "idx", "cifar", "parquet"]

IMAGE_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".tif", ".tiff")
)

IMAGE_FOLDERS_HINT = (
    "a folder on the server with one sub-folder of images for each class (or with such folders in train/ "
    "and test/), with MNIST's IDX files (train-images-idx3-ubyte.gz, ...), with CIFAR's binary files "
    "(data_batch_1.bin, ...), or with train*.parquet and test*.parquet"
)

HUB_PREFIX = "hf:"
"""Begins the name of a data set of the Hugging Face hub: ``hf:NAME[:CONFIG]``."""

_TEST_NAMES = ("test", "val", "valid", "validation")
"""In order of preference; of several, the first one is the test split and the others are not read."""


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """A folder of labelled images, and where its parts lie."""

    kind: ImageFolderKind
    train: tuple[Path, ...]
    """``classes``: one folder for each class; ``idx``: images, labels; else data files."""
    test: tuple[Path, ...] = ()
    """The same for the folder's own test split; empty if it has none."""


def find_image_folder(folder: Path) -> ImageFolder:
    """Return what a folder holds.

    Raises:
        ValueError: it does not exist, or holds nothing of the known kinds; the message says what would do.
    """
    if not folder.is_dir():
        raise ValueError(f"no folder {str(folder)!r} on the server: data is {IMAGE_FOLDERS_HINT}")
    found = _find_idx(folder) or _find_cifar(folder) or _find_parquet(folder)
    return found or _find_classes(folder)


def image_paths(class_folder: Path) -> list[Path]:
    """Return the images directly in a folder, by name."""
    return sorted(filter(_is_image, class_folder.iterdir()))


def _find_idx(folder: Path) -> ImageFolder | None:
    def pair(part: str) -> tuple[Path, ...]:
        images = _first(folder.glob(f"*{part}-images*idx3-ubyte*"))
        labels = _first(folder.glob(f"*{part}-labels*idx1-ubyte*"))
        if images and not labels:
            raise ValueError(
                f"folder {str(folder)!r} has {images.name} without its labels; put "
                f"{part}-labels-idx1-ubyte.gz beside it"
            )
        return (images, labels) if images and labels else ()

    train = pair("train")
    return ImageFolder("idx", train, pair("t10k") or pair("test")) if train else None


def _find_cifar(folder: Path) -> ImageFolder | None:
    train = sorted(folder.glob("data_batch_*.bin")) or sorted(folder.glob("train.bin"))
    test = sorted(folder.glob("test_batch.bin")) or sorted(folder.glob("test.bin"))
    if train:
        return ImageFolder("cifar", tuple(train), tuple(test))
    if (folder / "data_batch_1").is_file():
        raise ValueError(
            f"folder {str(folder)!r} holds CIFAR as Python pickles, which can run code when they are read; "
            "take the binary version, cifar-10-binary.tar.gz"
        )
    return None


def _find_parquet(folder: Path) -> ImageFolder | None:
    files = sorted((*folder.glob("*.parquet"), *folder.glob("*/*.parquet")))
    train = tuple(path for path in files if path.name.startswith("train"))
    if files and not train:
        raise ValueError(
            f"folder {str(folder)!r} has parquet files but none named train*.parquet; the training images "
            f"are read from those, and the test images from test*.parquet; there is {files[0].name}"
        )
    tests = (tuple(path for path in files if path.name.startswith(name)) for name in _TEST_NAMES)
    return ImageFolder("parquet", train, next(filter(None, tests), ())) if train else None


def _find_classes(folder: Path) -> ImageFolder:
    if not (folder / "train").is_dir():
        return ImageFolder("classes", _class_folders(folder))
    train = _class_folders(folder / "train")
    for name in _TEST_NAMES:
        if (folder / name).is_dir() and _sub_folders(folder / name):
            test = _class_folders(folder / name)
            unknown = sorted({path.name for path in test} - {path.name for path in train})
            if unknown:
                raise ValueError(
                    f"folder {str(folder / name)!r} has classes that train/ lacks: {', '.join(unknown[:5])}"
                )
            return ImageFolder("classes", train, test)
    return ImageFolder("classes", train)


def _class_folders(folder: Path) -> tuple[Path, ...]:
    classes = _sub_folders(folder)
    if len(classes) < 2:
        raise ValueError(
            f"folder {str(folder)!r} has {len(classes)} sub-folders, at least 2 are needed: data is "
            f"{IMAGE_FOLDERS_HINT}"
        )
    empty = [path.name for path in classes if not any(map(_is_image, path.iterdir()))]
    if empty:
        raise ValueError(
            f"folder {str(folder)!r} has sub-folders without images: {', '.join(empty[:5])}; fill them or "
            f"take them out; images end in {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    return classes


def _sub_folders(folder: Path) -> tuple[Path, ...]:
    return tuple(
        sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    )


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def _first(paths: Iterable[Path]) -> Path | None:
    return min(paths, default=None)
