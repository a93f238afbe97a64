"""Data sets of the Hugging Face hub, or folders that its library reads: ``hf:NAME[:CONFIG]``.

Needs the extra ``hub``. Images stay encoded in memory until they are asked for.
"""

import importlib
from pathlib import Path
from typing import Any

import torch

from search_server.nas.data.images import ImageSource, decode_images

_TEST_NAMES = ("test", "validation", "valid", "val")


def load_hub(spec: str, resolution: int) -> tuple[ImageSource, ImageSource | None]:
    """Return training images, and test images if the data set has a split of them.

    Args:
        spec: what stands behind ``hf:``: a name or a folder, and a configuration behind a colon.
        resolution: height and width of the images.

    Raises:
        ValueError: the library is missing, there is no such data set, or it has no images with labels.
    """
    try:
        datasets: Any = importlib.import_module("datasets")
    except ImportError as error:
        raise ValueError("data 'hf:...' needs the library datasets: pip install 'edgenas[hub]'") from error
    name, _, config = spec.partition(":")
    try:
        splits = datasets.load_dataset(name, config or None)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise ValueError(f"cannot load data set {name!r} of the Hugging Face hub: {error}") from error
    if "train" not in splits:
        raise ValueError(f"data set {name!r} has splits {', '.join(splits)}; it needs one called train")
    test_name = next((each for each in _TEST_NAMES if each in splits), None)
    train = _load(datasets, name, splits["train"], resolution)
    return train, _load(datasets, name, splits[test_name], resolution) if test_name else None


def _load(datasets: Any, name: str, split: Any, resolution: int) -> ImageSource:
    images = _column(name, split, datasets.Image)
    labels = _column(name, split, datasets.ClassLabel)
    encoded = split.select_columns([images, labels]).cast_column(images, datasets.Image(decode=False))
    files = [row["bytes"] or Path(row["path"]).read_bytes() for row in encoded[images]]
    labels_N = torch.tensor(list(encoded[labels]), dtype=torch.int64)
    return decode_images(files, labels_N, tuple(split.features[labels].names), resolution)


def _column(name: str, split: Any, kind: type) -> str:
    found = [column for column, feature in split.features.items() if isinstance(feature, kind)]
    if not found:
        raise ValueError(
            f"data set {name!r} has columns {', '.join(split.features)}, none of them {kind.__name__}; "
            "images with class labels are needed"
        )
    return str(found[0])
