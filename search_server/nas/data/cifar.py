"""The binary version of CIFAR-10 and CIFAR-100: 32x32 images, one record after the other.

Source: Krizhevsky, "The CIFAR-10 dataset", section binary version: a record is the label (CIFAR-100: the
coarse label, then the fine one), then 1,024 bytes each of red, green and blue.
"""

from pathlib import Path

import numpy as np
import torch

from search_server.nas.data.images import ImagesInMemory
from search_server.nas.data.loaded_images import LoadedImages
from shared.image_folders import ImageFolder

_IMAGE_BYTES = 3 * 32 * 32
_NAMES_FILES = {10: "batches.meta.txt", 100: "fine_label_names.txt"}


def load_cifar(folder: ImageFolder, resolution: int) -> LoadedImages:
    """Return training images, and test images if there is a file of them.

    Raises:
        ValueError: the size or a label of a file is not CIFAR's; the message names it.
    """
    num_classes = 100 if folder.train[0].name == "train.bin" else 10
    names = _class_names(folder.train[0].parent / _NAMES_FILES[num_classes], num_classes)
    train = _load(folder.train, names, resolution)
    return LoadedImages(train, _load(folder.test, names, resolution) if folder.test else None)


def _load(paths: tuple[Path, ...], names: tuple[str, ...], resolution: int) -> ImagesInMemory:
    num_label_bytes = 2 if len(names) == 100 else 1
    record_bytes = num_label_bytes + _IMAGE_BYTES
    images, labels = [], []
    for path in paths:
        content = np.fromfile(path, np.uint8)
        if not len(content) or len(content) % record_bytes:
            raise ValueError(
                f"{path} has {len(content)} bytes, which is no multiple of the {record_bytes} of a record "
                f"of CIFAR-{len(names)}; download it again"
            )
        records = content.reshape(-1, record_bytes)
        if records[:, num_label_bytes - 1].max() >= len(names):
            raise ValueError(f"{path} has labels of {len(names)} and more; it is not CIFAR-{len(names)}")
        labels.append(records[:, num_label_bytes - 1])
        images.append(records[:, num_label_bytes:].reshape(-1, 3, 32, 32))
    images_NCHW = torch.from_numpy(np.concatenate(images))
    labels_N = torch.from_numpy(np.concatenate(labels).astype(np.int64))
    return ImagesInMemory(images_NCHW, labels_N, names, resolution, mirrors=True)


def _class_names(path: Path, num_classes: int) -> tuple[str, ...]:
    names = tuple(path.read_text().split()) if path.exists() else ()
    return names if len(names) == num_classes else tuple(str(label) for label in range(num_classes))
