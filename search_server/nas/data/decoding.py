"""Encoded images decoded, or looked at where they are too many for that; damaged ones are told at once."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO

import torch
from torch import Tensor

from search_server.nas.data.decode_image import EncodedImage, ImageFile, open_image, read_image
from search_server.nas.data.images import ImageFiles, ImagesInMemory, ImageSource
from search_server.nas.data.rgb_image import is_gray

MEMORY_LIMIT_BYTES = 2**30
"""Decoded images up to this size are kept in memory."""

Progress = Callable[[int, int], None]
"""Called with the number of images that are looked at, and of all."""

NUM_DECODED = 20_000
"""Of sets that are not kept in memory so many images are decoded for a look, a minute on two cores."""
_NUM_NAMED = 10
_NUM_MODES = 100
_PROGRESS_IMAGES = 1000

_ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82", "GIF": b";"}
"""How whole files of a format end."""


def image_files(
    files: Sequence[ImageFile], labels_N: Tensor, class_names: tuple[str, ...], resolution: int
) -> ImageFiles:
    """Return encoded images as a source.

    Where most images are gray, of a hundred that are looked at, they are taken for signs such as digits,
    which are not mirrored.
    """
    grays = []
    for file in files[:: -(-len(files) // _NUM_MODES)]:
        # ``decode_sources`` tells of those that cannot be read.
        with suppress(ValueError), open_image(file) as image:
            grays.append(is_gray(image.mode))
    mirrors = 2 * sum(grays) <= len(grays)
    return ImageFiles(tuple(files), labels_N, class_names, resolution, mirrors)


def decode_sources(
    sources: Sequence[ImageSource],
    limit_bytes: int = MEMORY_LIMIT_BYTES,
    progress: Progress | None = None,
) -> list[ImageSource]:
    """Return sources decoded where each fits in memory; where not, after a look at each file.

    Up to 20,000 images, evenly from a source, are decoded for that look; see :func:`damage` for the others.

    Raises:
        ValueError: images cannot be read; the message names them.
    """
    total = sum(len(source.files) for source in sources if isinstance(source, ImageFiles))
    done = 0
    damaged: list[str] = []
    decoded: list[ImageSource] = []
    for source in sources:
        if not isinstance(source, ImageFiles):
            decoded.append(source)
            continue
        look, kept = _looking(source, limit_bytes)
        for error in _threaded(look, len(source.files)):
            damaged += [error] if error else []
            done += 1
            if progress is not None and done % _PROGRESS_IMAGES == 0:
                progress(done, total)
        decoded.append(kept)
    if damaged:
        raise ValueError(_damaged_words(damaged, total))
    return decoded


def _looking(source: ImageFiles, limit_bytes: int) -> tuple[Callable[[int], str], ImageSource]:
    """Return what looks at one image and answers why it cannot be read, and the source that results."""
    num, size = len(source.files), source.resolution
    if num * 3 * size**2 > limit_bytes:
        step = -(-num // NUM_DECODED)
        return lambda index: damage(source.files[index], size, decodes=index % step == 0), source
    images_NCHW = torch.empty((num, 3, size, size), dtype=torch.uint8)

    def decode(index: int) -> str:
        try:
            images_NCHW[index] = read_image(source.files[index], size)
        except ValueError as error:
            return str(error)
        return ""

    kept = ImagesInMemory(images_NCHW, source.labels_N, source.class_names, size, source.mirrors)
    return decode, kept


def damage(file: ImageFile, resolution: int, *, decodes: bool) -> str:
    """Return why an image cannot be read; empty if it can, as far as the look at it tells.

    Args:
        file: the image.
        resolution: at which it would be read.
        decodes: whether it is decoded whole. Otherwise header and end are looked at, and the checksums of
            PNG; a format that has neither end nor checksums is decoded all the same.
    """
    try:
        if decodes or not _is_whole(file):
            read_image(file, resolution)
    except (ValueError, OSError) as error:
        return str(error)
    return ""


def _is_whole(file: ImageFile) -> bool:
    """Tell whether header, end and checksums of an image are right; if not, only decoding tells."""
    with open_image(file) as image:
        kind = image.format or ""
        if kind not in _ENDS or not _end(file).rstrip(b"\0").endswith(_ENDS[kind]):
            return False
        try:
            image.verify()
        except (OSError, SyntaxError, ValueError):
            return False
    return True


def _end(file: ImageFile) -> bytes:
    with BytesIO(file.content) if isinstance(file, EncodedImage) else file.open("rb") as content:
        length = content.seek(0, os.SEEK_END)
        content.seek(max(0, length - 64))
        return content.read()


def _threaded(look: Callable[[int], str], num: int) -> Iterable[str]:
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        # In parts, since the pool takes up all that it is given at once.
        for start in range(0, num, _PROGRESS_IMAGES):
            yield from pool.map(look, range(start, min(num, start + _PROGRESS_IMAGES)))


def _damaged_words(damaged: Sequence[str], total: int) -> str:
    if len(damaged) == 1:
        return damaged[0]
    more = f"; and {len(damaged) - _NUM_NAMED} more" if len(damaged) > _NUM_NAMED else ""
    return f"{len(damaged)} of {total} images cannot be read: {'; '.join(damaged[:_NUM_NAMED])}{more}"
