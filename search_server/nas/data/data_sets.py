"""Data sets by name or folder, split in four."""

import unicodedata
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from sklearn.datasets import load_digits

from search_server.nas.data.cifar import load_cifar
from search_server.nas.data.class_folders import load_class_folders
from search_server.nas.data.class_subset import choose_classes, keep_classes
from search_server.nas.data.decoding import Progress, decode_sources
from search_server.nas.data.hub import load_hub
from search_server.nas.data.idx_files import load_idx
from search_server.nas.data.images import DataSplits, ImagesInMemory, split_images
from search_server.nas.data.loaded_images import LoadedImages
from search_server.nas.data.mirroring import choose_mirroring
from search_server.nas.data.parquet_files import load_parquet
from shared.image_folders import HUB_PREFIX, find_image_folder, split_choice

_LOADERS = {
    "classes": load_class_folders,
    "idx": load_idx,
    "cifar": load_cifar,
    "parquet": load_parquet,
}


def load_data(
    name: str,
    resolution: int,
    seed: int = 0,
    num_classes: int | None = None,
    class_names: Sequence[str] = (),
    mirror: bool | None = None,
    progress: Progress | None = None,
) -> DataSplits:
    """Return a data set at a resolution, in four disjoint splits.

    A folder's own test split is kept as such; see ``shared.image_folders`` for what a folder may hold.

    Args:
        name: ``digits``: 1,797 handwritten digits of 8x8 pixels, which scikit-learn ships; or
            ``hf:NAME[:CONFIG]`` of the Hugging Face hub; or a folder.
        resolution: height and width of the images.
        seed: of the splits, and of the drawing of classes.
        num_classes: so many of the classes; None: all.
        class_names: these of the classes; empty: all.
        mirror: whether training mirrors images; None: by the rule of ``mirroring.py``.
        progress: told of the images looked at so far, and of how many there are.

    Raises:
        ValueError: there is no such data set or class, a file is damaged, or a class has too few images.
    """
    loaded = load_images(name, resolution)
    chosen = [unicodedata.normalize("NFC", each) for each in class_names]
    names = choose_classes(loaded.train.class_names, num_classes, chosen, seed)
    parts = [keep_classes(part, names) for part in (loaded.train, loaded.test) if part is not None]
    train, *tests = decode_sources(parts, progress=progress)
    mirrors, why = choose_mirroring(train, mirror)
    if mirrors != train.mirrors:
        train = train.with_mirroring(mirrors)
    splits = split_images(train, tests[0] if tests else None, seed)
    return replace(splits, notes=(*loaded.notes, *([why] if why else [])))


def load_images(name: str, resolution: int) -> LoadedImages:
    """Return labelled images as they come: files are not decoded yet; see :func:`load_data`."""
    if name == "digits":
        return LoadedImages(_digits(resolution))
    if name.startswith(HUB_PREFIX):
        return load_hub(name.removeprefix(HUB_PREFIX), resolution)
    folder = find_image_folder(*split_choice(name))
    return _LOADERS[folder.kind](folder, resolution)


def _digits(resolution: int) -> ImagesInMemory:
    digits = load_digits()
    gray_NHW = torch.from_numpy(np.rint(digits.images * (255 / 16)).astype(np.uint8))
    return ImagesInMemory(
        gray_NHW[:, None],
        torch.from_numpy(digits.target.astype(np.int64)),
        tuple(str(name) for name in digits.target_names),
        resolution,
        mirrors=False,
    )
