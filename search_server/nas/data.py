"""Data sets by name or folder, split in four."""

import numpy as np
import torch
from sklearn.datasets import load_digits

from search_server.nas.images import DataSplits, ImagesInMemory, fit_images, split_images


def load_data(name: str, resolution: int, seed: int = 0) -> DataSplits:
    """Return a data set at a resolution, in four disjoint splits.

    Args:
        name: ``digits``: 1,797 handwritten digits of 8x8 pixels, which scikit-learn ships.
        resolution: height and width of the images.
        seed: of the splits.

    Raises:
        ValueError: there is no such data set.
    """
    if name == "digits":
        return split_images(_digits(resolution), None, seed)
    raise ValueError(f"unknown data set {name!r}; known by name: digits")


def _digits(resolution: int) -> ImagesInMemory:
    digits = load_digits()
    gray_NHW = torch.from_numpy(np.rint(digits.images * (255 / 16)).astype(np.uint8))
    return ImagesInMemory(
        fit_images(gray_NHW[:, None], resolution),
        torch.from_numpy(digits.target.astype(np.int64)),
        tuple(str(name) for name in digits.target_names),
        mirrors=False,
    )
