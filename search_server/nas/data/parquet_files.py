"""Parquet files as in image data sets of the Hugging Face hub: encoded images and labels in columns."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow
from pyarrow import parquet

from search_server.nas.data.decode_image import EncodedImage, ImageFile
from search_server.nas.data.decoding import image_files
from search_server.nas.data.images import number_labels
from search_server.nas.data.loaded_images import LoadedImages
from shared.image_folders import ImageFolder

Label = int | float | str

_IMAGE_COLUMNS = ("image", "img")
_LABEL_COLUMNS = ("label", "fine_label", "labels")


@dataclass(frozen=True, slots=True)
class _Rows:
    """Encoded images and their labels, in the order of the files."""

    images: list[ImageFile]
    labels: list[Label | None]
    files: list[tuple[int, Path, str]]
    """The index of its first row, each file and its column of labels."""

    @property
    def has_labels(self) -> bool:
        """The hub gives images without labels the label -1."""
        return any(label not in (None, -1) for label in self.labels)

    def place(self, index: int) -> str:
        """Return where a label stands: file, row and column."""
        first, path, column = next(file for file in reversed(self.files) if file[0] <= index)
        return f"{path}, row {index - first}, column {column!r}"


def load_parquet(folder: ImageFolder, resolution: int) -> LoadedImages:
    """Return training images, and test images if there are files of them with labels.

    Raises:
        ValueError: a file is not parquet, a column is missing, a label or an image is none or cannot be
            read; the message names file, row and column.
    """
    rows = _read(folder.train)
    if not rows.has_labels:
        raise ValueError(f"none of the {len(rows.labels)} images in {folder.train[0]} has a label")
    names = _described_names(folder.train[0])
    classes = sorted(set(_require_labels(rows, names)))
    class_names = tuple(
        names[label] if names and isinstance(label, int) else str(label) for label in classes
    )
    train = image_files(
        rows.images, number_labels(rows.labels, classes, rows.place), class_names, resolution
    )
    notes: list[str] = []
    for index, paths in enumerate(filter(None, (folder.test, *folder.spare_tests))):
        if notes or index:
            notes.append(f"{paths[0].name} is the test split")
        rows = _read(paths, is_test=True)
        if rows.has_labels or -1 in classes:
            labels_N = number_labels(rows.labels, classes, rows.place)
            return LoadedImages(
                train, image_files(rows.images, labels_N, class_names, resolution), tuple(notes)
            )
        notes = [f"{paths[0].name} is not read, since none of its {len(rows.labels)} images has a label"]
    if notes:
        notes.append("a fifth of the training images is the test split")
    return LoadedImages(train, None, tuple(notes))


def _read(paths: Sequence[Path], is_test: bool = False) -> _Rows:
    """Return the rows of files; test images may have no column of labels."""
    rows = _Rows([], [], [])
    for path in paths:
        try:
            columns = parquet.read_schema(path).names
            image = _choose(path, columns, _IMAGE_COLUMNS)
            label = _LABEL_COLUMNS[0]
            if not is_test or not set(columns).isdisjoint(_LABEL_COLUMNS):
                label = _choose(path, columns, _LABEL_COLUMNS)
            chosen = [name for name in (image, label) if name in columns]
            table = parquet.read_table(path, columns=chosen).to_pydict()
            table.setdefault(label, [None] * len(table[image]))
        except (pyarrow.ArrowException, OSError) as error:
            raise ValueError(f"{path} cannot be read as parquet: {error}") from error
        rows.files.append((len(rows.labels), path, label))
        for row, value in enumerate(table[image]):
            rows.images.append(_encoded(value, path, row, image))
        for value in table[label]:
            if isinstance(value, list | dict):
                place = rows.place(len(rows.labels))
                raise ValueError(f"{place}: the label is {value}; one number or one name is needed")
            rows.labels.append(value)
    return rows


def _encoded(value: object, path: Path, row: int, column: str) -> ImageFile:
    """Return the content of an image, or where it lies: beside the file or in a folder there."""
    place = f"{path}, row {row}, column {column!r}"
    content, name = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, value)
    if isinstance(content, bytes):
        return EncodedImage(content, str(path), row)
    if not isinstance(name, str):
        raise ValueError(f"{place}: there is no image but {value!r:.80}; it takes its bytes or its path")
    # Whoever writes the file may not be allowed to read what else lies on this machine's disk.
    beside = (path.parent / name).resolve()
    if not beside.is_relative_to(path.parent.resolve()):
        raise ValueError(f"{place}: {name!r} leads out of the file's folder; name images that lie in it")
    if not beside.is_file():
        raise ValueError(f"{place}: there is no file {str(path.parent / name)!r}")
    return path.parent / name


def _require_labels(rows: _Rows, names: Sequence[str]) -> list[Label]:
    """Return the labels of training images, which have to be all numbers or all names."""
    labels: list[Label] = []
    for index, label in enumerate(rows.labels):
        place = rows.place(index)
        if label is None or label != label:
            raise ValueError(f"{place}: there is no label; take the row out, or label it")
        if labels and isinstance(label, str) != isinstance(labels[0], str):
            raise ValueError(f"{place}: the label is {label!r}, but the first one is {labels[0]!r}")
        if names and isinstance(label, int) and not 0 <= label < len(names):
            raise ValueError(
                f"{place}: the label is {label}, but the file names {len(names)} classes, which are "
                f"numbered 0 to {len(names) - 1}"
            )
        labels.append(label)
    return labels


def _choose(path: Path, columns: Sequence[str], known: Sequence[str]) -> str:
    for name in known:
        if name in columns:
            return name
    raise ValueError(f"{path} has columns {', '.join(columns)}; one of {', '.join(known)} is needed")


def _described_names(path: Path) -> list[str]:
    """Return the names of the classes in the hub's description in a file; empty if there is none."""
    metadata = parquet.read_schema(path).metadata or {}
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        described = (features[column].get("names") for column in _LABEL_COLUMNS if column in features)
        return [str(name) for name in next(filter(None, described), [])]
    except (ValueError, LookupError, AttributeError, TypeError):
        # Whatever else a program wrote there, the labels themselves are names enough.
        return []
