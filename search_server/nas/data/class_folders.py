"""Images in one folder for each class."""

from collections.abc import Sequence
from pathlib import Path

import torch

from search_server.nas.data.images import ImageSource, decode_images
from shared.image_folders import ImageFolder, image_paths


def load_class_folders(folder: ImageFolder, resolution: int) -> tuple[ImageSource, ImageSource | None]:
    """Return training images, and test images if the folder sets some apart; classes by folder name.

    Raises:
        ValueError: a file that should be read now is no image; the message names it.
    """
    class_names = tuple(path.name for path in folder.train)
    train = _load(folder.train, class_names, resolution)
    return train, _load(folder.test, class_names, resolution) if folder.test else None


def _load(folders: Sequence[Path], class_names: tuple[str, ...], resolution: int) -> ImageSource:
    labelled = [(path, class_names.index(each.name)) for each in folders for path in image_paths(each)]
    labels_N = torch.tensor([label for _, label in labelled])
    return decode_images([path for path, _ in labelled], labels_N, class_names, resolution)
