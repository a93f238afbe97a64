"""Folders of images that are named by their class, in one part or in ``train`` and a test part."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path

from shared.folder_images import IMAGE_SUFFIXES, has_images, shown, sub_folders

TEST_NAMES = ("test", "val", "valid", "validation")
"""In order of preference; of several, the first one with labels is the test split."""

_PART_NAMES = frozenset((*TEST_NAMES, "train", "training", "testing", "eval", "dev"))


@dataclass(frozen=True, slots=True)
class ClassFolders:
    """Where the classes of each part lie."""

    train: tuple[Path, ...]
    """A folder for each class; two whose names differ in Unicode's normal form alone are one class."""
    test: tuple[Path, ...] = ()
    annotations: Path | None = None
    """In place of ``test``: a file that names the class of each test image, as in Tiny-ImageNet."""
    notes: tuple[str, ...] = ()
    """What is not read, and why."""


def class_name(folder: Path) -> str:
    """Return the class that a folder is named by, in Unicode's composed form.

    macOS may write an accented letter as two characters, where others write one.
    """
    return unicodedata.normalize("NFC", folder.name)


def find_class_folders(folder: Path, hint: str) -> ClassFolders:
    """Return the classes of a folder.

    Args:
        folder: with a sub-folder for each class, or with such folders in ``train`` and a test part.
        hint: what would do, for messages.

    Raises:
        ValueError: it has fewer than two classes, one has no image, or ``train`` lacks one of the test
            part; the message names it.
    """
    if not ((folder / "train").is_dir() and sub_folders(folder / "train")):
        classes = _classes(folder, hint)
        if all(path.name.lower() in _PART_NAMES for path in classes):
            raise ValueError(
                f"folder {str(folder)!r} has the sub-folders {', '.join(path.name for path in classes)}, "
                "which name parts and not classes; put a folder for each class in train/ and in test/"
            )
        return ClassFolders(classes, notes=_beside(folder))
    train = _classes(folder / "train", hint)
    parts = [folder / name for name in TEST_NAMES if (folder / name).is_dir()]
    notes = list(_beside(folder / "train"))
    for index, part in enumerate(parts):
        if (part / "val_annotations.txt").is_file():
            notes += _not_read(parts[index + 1 :], part)
            return ClassFolders(train, (), part / "val_annotations.txt", tuple(notes))
        reason = _why_unlabelled(part, train, is_last=index == len(parts) - 1)
        if reason is None:
            notes += _not_read(parts[index + 1 :], part)
            return ClassFolders(train, _test_classes(part, train, hint), None, tuple(notes))
        notes.append(reason)
    if parts:
        notes.append("a fifth of the images of train/ is the test split")
    return ClassFolders(train, (), None, tuple(notes))


def _test_classes(part: Path, train: tuple[Path, ...], hint: str) -> tuple[Path, ...]:
    test = _classes(part, hint)
    unknown = sorted({class_name(path) for path in test} - {class_name(path) for path in train})
    if unknown:
        raise ValueError(f"folder {str(part)!r} has classes that train/ lacks: {', '.join(unknown[:5])}")
    return test


def _why_unlabelled(part: Path, train: tuple[Path, ...], *, is_last: bool) -> str | None:
    """Return why a part has no labels; None if it has, or should have."""
    folders = sub_folders(part)
    if not folders:
        return f"{part.name}/ is not read, since it has no sub-folders that name classes"
    is_disjoint = {class_name(path) for path in folders}.isdisjoint(map(class_name, train))
    if is_disjoint and (len(folders) == 1 or not is_last):
        return (
            f"{part.name}/ is not read, since it has no sub-folder named as a class of train/ "
            f"but {', '.join(path.name for path in folders[:3])}"
        )
    return None


def _not_read(parts: list[Path], test: Path) -> list[str]:
    notes = [f"{test.name}/ is the test split"] if test.name != "test" else []
    if parts:
        notes.append(
            f"{', '.join(f'{part.name}/' for part in parts)} not read, since {test.name}/ is the test split"
        )
    return notes


def _beside(folder: Path) -> tuple[str, ...]:
    stray = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    stray = [name for name in stray if not name.startswith(".") and (folder / name).is_file()]
    if not stray:
        return ()
    more = ", ..." if len(stray) > 3 else ""
    return (
        f"{len(stray)} images in {folder.name}/ itself are left out, since no folder names their class: "
        f"{', '.join(stray[:3])}{more}",
    )


def _classes(folder: Path, hint: str) -> tuple[Path, ...]:
    classes = sub_folders(folder)
    if len(set(map(class_name, classes))) < 2:
        raise ValueError(
            f"folder {str(folder)!r} has {len(classes)} sub-folders, at least 2 are needed: data is {hint}"
        )
    unnamed = [path for path in classes if shown(path) != str(path)]
    if unnamed:
        raise ValueError(
            f"folder {shown(folder)!r} has a sub-folder whose name is no UTF-8, "
            f"{shown(Path(unnamed[0].name))!r}; rename it: a class is named by its folder"
        )
    empty = [path.name for path in classes if not has_images(path)]
    if empty:
        raise ValueError(
            f"folder {str(folder)!r} has sub-folders without images: {', '.join(empty[:5])}; fill them or "
            f"take them out; images end in {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    return classes
