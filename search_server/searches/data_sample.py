"""A look at a few images of a folder before a search is queued (without torch)."""

import struct
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

from shared.folder_images import find_images

_NUM_CLASSES = 10
_NUM_IMAGES = 2


def check_sample(class_folders: Sequence[Path]) -> None:
    """Decode a few images of some classes, evenly over both.

    Raises:
        ValueError: some cannot be read; the message names all of them.
    """
    reasons: list[str] = []
    num_images = 0
    for folder in class_folders[:: max(1, len(class_folders) // _NUM_CLASSES)][:_NUM_CLASSES]:
        images = find_images(folder).images
        for path in images[:: max(1, len(images) // _NUM_IMAGES)][:_NUM_IMAGES]:
            num_images += 1
            reason = why_unreadable(path)
            reasons += [f"{path}: {reason}"] if reason else []
    if reasons:
        raise ValueError(
            f"{len(reasons)} of {num_images} images that were tried cannot be read: {'; '.join(reasons)}; "
            "repair them or take them out"
        )


def why_unreadable(file: Path | BytesIO) -> str:
    """Return why an image cannot be decoded; empty if it can."""
    is_empty = not file.getbuffer().nbytes if isinstance(file, BytesIO) else _is_empty(file)
    if is_empty:
        return "it is empty"
    try:
        with Image.open(file) as image:
            image.load()
    except (OSError, EOFError, SyntaxError, ValueError, LookupError, TypeError, struct.error) as error:
        return str(error)
    except Image.DecompressionBombError as error:
        return str(error)
    return ""


def _is_empty(path: Path) -> bool:
    return path.exists() and not path.stat().st_size
