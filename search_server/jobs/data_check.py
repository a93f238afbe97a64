"""Which data a search can use, told without loading any (and without torch)."""

from pathlib import Path

from search_server.resources.searches import DataSet
from shared.image_folders import IMAGE_FOLDERS_HINT, find_image_folder

DATA_SETS: tuple[DataSet, ...] = (
    DataSet(
        name="digits",
        num_images=1797,
        num_classes=10,
        is_available=True,
        hint="handwritten digits, 8x8 pixels, part of scikit-learn; a search takes minutes. For data of "
        f"your own give the path of {IMAGE_FOLDERS_HINT}",
    ),
)


def check_data(data: str) -> None:
    """Accept a data set known by name, or a folder of images of one of the known kinds.

    Raises:
        ValueError: neither; the message says what would be right.
    """
    names = [known.name for known in DATA_SETS]
    if data in names:
        return
    folder = Path(data).expanduser()
    if not folder.is_dir():
        raise ValueError(
            f"no data {data!r} on the server: it takes a data set known by name ({', '.join(names)}), or "
            f"the path of {IMAGE_FOLDERS_HINT}"
        )
    find_image_folder(folder)
