"""Which data a search can use, told without loading it (and without torch)."""

import importlib.util
from pathlib import Path

from search_server.resources.searches import DataSet
from search_server.searches.data_sample import check_sample
from search_server.searches.packed_sample import check_packed
from shared.image_folders import HUB_PREFIX, IMAGE_FOLDERS_HINT, find_image_folder, split_choice

_HAS_HUB = importlib.util.find_spec("datasets") is not None
_HUB_HINT = "data 'hf:...' needs the library datasets on server and worker: pip install datasets"

DATA_SETS: tuple[DataSet, ...] = (
    DataSet(
        name="digits",
        num_images=1797,
        num_classes=10,
        is_available=True,
        hint="handwritten digits, 8x8 pixels, part of scikit-learn; a search takes minutes. For data of "
        f"your own give the path of {IMAGE_FOLDERS_HINT}",
    ),
    DataSet(
        name="hf:NAME[:CONFIG]",
        num_images=None,
        num_classes=None,
        is_available=_HAS_HUB,
        hint="images with class labels from the Hugging Face hub, or a folder that its library reads"
        if _HAS_HUB
        else _HUB_HINT,
    ),
)


def check_data(data: str) -> None:
    """Accept a data set known by name, or a folder of images of one of the known kinds.

    Raises:
        ValueError: neither, or some of its images cannot be read; the message says what would be right.
    """
    names = [known.name for known in DATA_SETS]
    if data in names:
        return
    if data.startswith(HUB_PREFIX) and data != HUB_PREFIX:
        local = Path(data.removeprefix(HUB_PREFIX))
        if local.is_dir() and not local.is_absolute():
            raise ValueError(f"data path must be absolute on the server, got {data!r}")
        if not _HAS_HUB:
            raise ValueError(_HUB_HINT)
        return
    folder, choice = split_choice(data)
    if not folder.is_absolute() and (folder.exists() or len(folder.parts) > 1):
        raise ValueError(f"data path must be absolute on the server, got {data!r}")
    if folder.is_file():
        raise ValueError(f"data {data!r} is a file on the server, not a folder; unpack an archive")
    if not folder.is_dir():
        raise ValueError(
            f"no data {data!r} on the server: it takes a data set known by name ({', '.join(names)}), or "
            f"the absolute path of {IMAGE_FOLDERS_HINT}"
        )
    found = find_image_folder(folder, choice)
    if found.kind == "classes":
        check_sample(found.train)
    else:
        check_packed(found)
