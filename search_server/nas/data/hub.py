"""Data sets of the Hugging Face hub, or folders that its library reads: ``hf:NAME[:CONFIG]``.

Needs the extra ``hub``. Images stay encoded in memory until they are asked for.
"""

import importlib
from pathlib import Path
from typing import Any

import torch

from search_server.nas.data.decode_image import EncodedImage
from search_server.nas.data.decoding import image_files
from search_server.nas.data.images import ImageSource
from search_server.nas.data.loaded_images import LoadedImages
from shared.class_folders import TEST_NAMES


def load_hub(spec: str, resolution: int) -> LoadedImages:
    """Return training images, and test images if the data set has a split of them with labels.

    Args:
        spec: what stands behind ``hf:``: a name or a folder, and a configuration behind a colon.
        resolution: height and width of the images.

    Raises:
        ValueError: the library is missing, there is no such data set, or it has no images with labels.
    """
    try:
        datasets: Any = importlib.import_module("datasets")
    except ImportError as error:
        raise ValueError("data 'hf:...' needs the library datasets: pip install datasets") from error
    name, _, config = spec.partition(":")
    try:
        splits = datasets.load_dataset(name, config or None)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise ValueError(f"cannot load data set {name!r} of the Hugging Face hub: {error}") from error
    if "train" not in splits:
        raise ValueError(f"data set {name!r} has splits {', '.join(splits)}; it needs one called train")
    train = _load(datasets, name, splits["train"], resolution)
    notes: list[str] = []
    for part in (part for part in TEST_NAMES if part in splits):
        if notes or part != "test":
            notes.append(f"split {part} is the test split")
        labels = list(splits[part][_column(name, splits[part], datasets.ClassLabel)])
        if set(labels) - {None, -1}:
            test = _load(datasets, name, splits[part], resolution)
            return LoadedImages(train, test, tuple(notes))
        notes = [f"split {part} is not read, since none of its {len(labels)} images has a label"]
    if notes:
        notes.append("a fifth of the training images is the test split")
    return LoadedImages(train, None, tuple(notes))


def _load(datasets: Any, name: str, split: Any, resolution: int) -> ImageSource:
    images = _column(name, split, datasets.Image)
    labels = _column(name, split, datasets.ClassLabel)
    encoded = split.select_columns([images, labels]).cast_column(images, datasets.Image(decode=False))
    source = f"data set {name!r}, split {split.split}"
    numbers, names = list(encoded[labels]), tuple(split.features[labels].names)
    for row, number in enumerate(numbers):
        if number is None or not 0 <= number < len(names):
            raise ValueError(
                f"{source}, row {row}, column {labels!r}: the label is {number}, but the "
                f"{len(names)} classes are numbered 0 to {len(names) - 1}"
            )
    files = [
        EncodedImage(_content(row, f"{source}, row {index}, column {images!r}"), source, index)
        for index, row in enumerate(encoded[images])
    ]
    return image_files(files, torch.tensor(numbers, dtype=torch.int64), names, resolution)


def _content(image: Any, place: str) -> bytes:
    try:
        content: bytes = image["bytes"] or Path(image["path"]).read_bytes()
    except (OSError, TypeError) as error:
        raise ValueError(f"{place}: there is no image: {error}") from error
    return content


def _column(name: str, split: Any, kind: type) -> str:
    found = [column for column, feature in split.features.items() if isinstance(feature, kind)]
    if not found:
        raise ValueError(
            f"data set {name!r} has columns {', '.join(split.features)}, none of them {kind.__name__}; "
            "images with class labels are needed"
        )
    return str(found[0])
