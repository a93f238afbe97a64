"""IDX files, plain or gzipped: MNIST, Fashion-MNIST, EMNIST, KMNIST.

Source: LeCun et al., "The MNIST database": two zero bytes, the element type (8: uint8), the number of
dimensions, each dimension as a big-endian 32-bit number, then the elements. Cohen et al., "EMNIST" (arXiv
1702.05373): its files come from MATLAB, so that each image is stored column by column.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from search_server.nas.data.images import ImagesInMemory, number_labels
from search_server.nas.data.loaded_images import LoadedImages
from shared.image_folders import ImageFolder

_UINT8 = 8
_EMNIST_NOTE = "EMNIST's files hold each image column by column, unlike MNIST's; they are read upright"


def load_idx(folder: ImageFolder, resolution: int) -> LoadedImages:
    """Return training images, and test images if there are files of them.

    Raises:
        ValueError: a file is damaged or does not go with its labels; the message names it.
    """
    labels = read_idx(folder.train[1], num_dimensions=1)
    notes = (_EMNIST_NOTE,) if _is_emnist(folder.train[0]) else ()
    names = tuple(str(value) for value in sorted(set(labels.tolist())))
    train = _load(folder.train, names, resolution)
    return LoadedImages(train, _load(folder.test, names, resolution) if folder.test else None, notes)


def _is_emnist(path: Path) -> bool:
    """Tell by a file's name whether it is of EMNIST, whose images are stored column by column."""
    return "emnist" in path.name.lower()


def read_idx(path: Path, num_dimensions: int) -> NDArray[np.uint8]:
    """Return the array in an IDX file of uint8.

    Raises:
        ValueError: the file is damaged, or holds something else.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        zeros, element_type, found = struct.unpack_from(">HBB", content)
        shape = struct.unpack_from(f">{found}I", content, 4)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise ValueError(f"cannot read {path} as an IDX file: {error}; download it again") from error
    if (zeros, element_type, found) != (0, _UINT8, num_dimensions):
        raise ValueError(
            f"{path} is no IDX file of uint8 in {num_dimensions} dimensions: it begins {content[:4].hex()}"
        )
    num_bytes, wanted = len(content) - 4 - 4 * found, math.prod(shape)
    if num_bytes != wanted:
        raise ValueError(f"{path} should hold {wanted} elements, it holds {num_bytes}; download it again")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * found).reshape(shape)


def _load(paths: tuple[Path, ...], names: tuple[str, ...], resolution: int) -> ImagesInMemory:
    images_path, labels_path = paths
    images_NHW = read_idx(images_path, num_dimensions=3)
    labels = read_idx(labels_path, num_dimensions=1)
    if len(images_NHW) != len(labels):
        raise ValueError(
            f"{images_path} has {len(images_NHW)} images, {labels_path.name} {len(labels)} labels"
        )
    names_of_labels = [str(label) for label in labels.tolist()]
    labels_N = number_labels(names_of_labels, names, lambda _: str(labels_path))
    if _is_emnist(images_path):
        images_NHW = images_NHW.swapaxes(1, 2)
    images_N1HW = torch.from_numpy(images_NHW.copy())[:, None]
    return ImagesInMemory(images_N1HW, labels_N, names, resolution, mirrors=False)
