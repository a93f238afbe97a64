"""Parquet files as in image data sets of the Hugging Face hub: encoded images and labels in columns."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow
from pyarrow import parquet

from search_server.nas.data.images import ImageSource, decode_images, number_labels
from shared.image_folders import ImageFolder

Label = int | str

_IMAGE_COLUMNS = ("image", "img")
_LABEL_COLUMNS = ("label", "fine_label", "labels")


def load_parquet(folder: ImageFolder, resolution: int) -> tuple[ImageSource, ImageSource | None]:
    """Return training images, and test images if there are files of them.

    Raises:
        ValueError: a file is not parquet, a column is missing, or an image cannot be read.
    """
    images, labels = _read(folder.train)
    classes = sorted(set(labels))
    names = _class_names(folder.train[0], classes)
    train_N = number_labels(labels, classes, str(folder.train[0]))
    train = decode_images(images, train_N, names, resolution)
    if not folder.test:
        return train, None
    images, labels = _read(folder.test)
    test_N = number_labels(labels, classes, str(folder.test[0]))
    return train, decode_images(images, test_N, names, resolution)


def _read(paths: Sequence[Path]) -> tuple[list[bytes], list[Label]]:
    """Return encoded images and their labels."""
    images: list[bytes] = []
    labels: list[Label] = []
    for path in paths:
        try:
            columns = parquet.read_schema(path).names
        except (pyarrow.ArrowException, OSError) as error:
            raise ValueError(f"{path} cannot be read as parquet: {error}") from error
        image, label = (_choose(path, columns, names) for names in (_IMAGE_COLUMNS, _LABEL_COLUMNS))
        table = parquet.read_table(path, columns=[image, label]).to_pydict()
        images += [value["bytes"] if isinstance(value, dict) else value for value in table[image]]
        labels += table[label]
    return images, labels


def _choose(path: Path, columns: Sequence[str], known: Sequence[str]) -> str:
    for name in known:
        if name in columns:
            return name
    raise ValueError(f"{path} has columns {', '.join(columns)}; one of {', '.join(known)} is needed")


def _class_names(path: Path, classes: Sequence[Label]) -> tuple[str, ...]:
    """Return the name of each class: from the hub's description in the file, else the label itself."""
    metadata = parquet.read_schema(path).metadata or {}
    features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    described = (features[column].get("names") for column in _LABEL_COLUMNS if column in features)
    names = next(filter(None, described), None)
    return tuple(names[label] if names and isinstance(label, int) else str(label) for label in classes)
