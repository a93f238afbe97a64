"""Images in one folder for each class."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from search_server.nas.data.decoding import image_files
from search_server.nas.data.images import ImageSource
from search_server.nas.data.loaded_images import LoadedImages
from shared.class_folders import class_name
from shared.folder_images import find_images, first_names
from shared.image_folders import ImageFolder


@dataclass(frozen=True, slots=True)
class LabelledFiles:
    """Image files, the class of each, and what lies beside them."""

    files: tuple[Path, ...]
    labels: tuple[int, ...]
    notes: tuple[str, ...] = ()
    """What is not read, or not where it is looked for first."""


def load_class_folders(folder: ImageFolder, resolution: int) -> LoadedImages:
    """Return training images, and test images if the folder sets some apart; classes by folder name.

    Raises:
        ValueError: a file that should be read now is no image; the message names it.
    """
    names = class_names(folder)
    train, test = label_files(folder)
    notes = (*folder.notes, *train.notes, *(test.notes if test else ()))
    return LoadedImages(
        _load(train, names, resolution), _load(test, names, resolution) if test else None, notes
    )


def class_names(folder: ImageFolder) -> tuple[str, ...]:
    """Return the classes of a folder in the order of their numbers."""
    return tuple(dict.fromkeys(map(class_name, folder.train)))


def label_files(folder: ImageFolder) -> tuple[LabelledFiles, LabelledFiles | None]:
    """Return the files of the training images, and of the test images if the folder sets some apart.

    Raises:
        ValueError: a line of the annotations names no image or no class.
    """
    numbers = {name: number for number, name in enumerate(class_names(folder))}
    train = _below(folder.train, numbers)
    if folder.annotations is not None:
        return train, _annotated(folder.annotations, numbers)
    return train, _below(folder.test, numbers) if folder.test else None


def _load(labelled: LabelledFiles, names: tuple[str, ...], resolution: int) -> ImageSource:
    return image_files(labelled.files, torch.tensor(labelled.labels), names, resolution)


def _below(folders: Sequence[Path], numbers: dict[str, int]) -> LabelledFiles:
    files: list[Path] = []
    labels: list[int] = []
    left_out: list[Path] = []
    nested: list[Path] = []
    for folder in folders:
        found = find_images(folder)
        files += found.images
        labels += [numbers[class_name(folder)]] * len(found.images)
        left_out += found.left_out
        nested += [path for path in found.images if path.parent != folder]
    part = folders[0].parent
    notes = []
    if nested:
        notes.append(
            f"{len(nested)} of {len(files)} images in {part.name}/ lie in folders below that of their "
            f"class, and are read: {first_names(nested, part)}"
        )
    if left_out:
        notes.append(
            f"{len(left_out)} files in {part.name}/ are left out, since they are no images by their "
            f"names, or lead to a folder above: {first_names(left_out, part)}"
        )
    return LabelledFiles(tuple(files), tuple(labels), tuple(notes))


def _annotated(path: Path, numbers: dict[str, int]) -> LabelledFiles:
    """Return the images that the lines of a file name, each with its class behind a tab."""
    files, labels = [], []
    folder = path.parent / "images" if (path.parent / "images").is_dir() else path.parent
    for index, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        image, *rest = line.split("\t")
        label = unicodedata.normalize("NFC", rest[0].strip()) if rest else ""
        if label not in numbers:
            raise ValueError(
                f"{path}, line {index}: class {label!r} is none of the {len(numbers)} of train/"
            )
        if not (folder / image).is_file():
            raise ValueError(f"{path}, line {index}: there is no image {str(folder / image)!r}")
        files.append(folder / image)
        labels.append(numbers[label])
    if not files:
        raise ValueError(f"{path} names no image")
    return LabelledFiles(tuple(files), tuple(labels))
