"""Which data a search can use, told without loading any (and without torch)."""

from pathlib import Path

from search_server.resources import DataSet

IMAGE_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".tif", ".tiff")
)

DATA_SETS: tuple[DataSet, ...] = (
    DataSet(
        name="digits",
        num_images=1797,
        num_classes=10,
        is_available=True,
        hint="handwritten digits, 8x8 pixels, part of scikit-learn; a search takes minutes",
    ),
)


def check_data(data: str) -> None:
    """Accept a data set known by name, or a folder with one sub-folder of images per class.

    Raises:
        ValueError: neither; the message says what would be right.
    """
    names = [known.name for known in DATA_SETS]
    if data in names:
        return
    wanted = (
        f"a data set known by name ({', '.join(names)}), or a folder on the server with one sub-folder of "
        "images for each class"
    )
    folder = Path(data).expanduser()
    if not folder.is_dir():
        raise ValueError(f"no data {data!r} on the server: it takes {wanted}")
    classes = sorted(
        entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )
    if len(classes) < 2:
        raise ValueError(
            f"folder {data!r} has {len(classes)} sub-folders, at least 2 are needed: it takes {wanted}"
        )
    empty = [entry.name for entry in classes if not _has_image(entry)]
    if empty:
        raise ValueError(
            f"folder {data!r} has sub-folders without images: {', '.join(empty[:5])}; it takes {wanted}"
        )


def _has_image(folder: Path) -> bool:
    return any(entry.suffix.lower() in IMAGE_SUFFIXES for entry in folder.iterdir())
