"""One image file as a uint8 tensor of a size, whole or in part; and tensors of images brought to a size.

Shape letters: N images, C channels, H height, W width.
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from search_server.nas.data.crops import crop_box
from search_server.nas.data.rgb_image import rgb_on_white, upright
from shared.folder_images import shown


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """The content of an image file, out of a row of a data file."""

    content: bytes
    source: str
    """The data file."""
    row: int
    """Counted from 0."""

    def __str__(self) -> str:
        return f"{self.source}, row {self.row}"


ImageFile = Path | EncodedImage


def read_image(file: ImageFile, resolution: int, crop: Sequence[float] | None = None) -> Tensor:
    """Return an image as uint8 ``(3, resolution, resolution)``: shorter side scaled, centre cropped.

    Args:
        file: where it lies, or its content.
        resolution: height and width of the result.
        crop: a draw of ``crops.py`` that says which part to take instead.

    Raises:
        ValueError: it cannot be read as an image; the message names the file, of a data file the row.
    """
    with open_image(file) as image:
        try:
            whole = upright(image)
            rgb = rgb_on_white(whole if crop is not None else _middle(whole))
        except _UNREADABLE as error:
            raise _unreadable(file, error) from error
    if crop is not None:
        size, bilinear = (resolution, resolution), Image.Resampling.BILINEAR
        part = rgb.resize(size, bilinear, box=crop_box(*rgb.size, crop))
        return torch.from_numpy(np.array(part)).permute(2, 0, 1).contiguous()
    scale = resolution / min(rgb.size)
    width, height = (max(resolution, round(side * scale)) for side in rgb.size)
    left, top = (width - resolution) // 2, (height - resolution) // 2
    rgb = rgb.resize((width, height), Image.Resampling.BILINEAR)
    square = rgb.crop((left, top, left + resolution, top + resolution))
    return torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()


def _middle(image: Image.Image) -> Image.Image:
    """Return the middle of a very long image, so that scaling its shorter side up takes little memory."""
    shorter, longer = min(image.size), max(image.size)
    cut = max(0, longer - _LONGEST_RATIO * shorter) // 2
    if not cut:
        return image
    across, down = (cut, 0) if image.width > image.height else (0, cut)
    return image.crop((across, down, image.width - across, image.height - down))


def fit_images(images_NCHW: Tensor, resolution: int) -> Tensor:
    """Return uint8 images with three channels at a resolution; gray is repeated, size interpolated."""
    if images_NCHW.shape[2:] != (resolution, resolution):
        scaled = F.interpolate(
            images_NCHW.float(), (resolution, resolution), mode="bilinear", antialias=True
        )
        images_NCHW = scaled.round_().clamp_(0, 255).to(torch.uint8)
    if images_NCHW.shape[1] == 1:
        images_NCHW = images_NCHW.expand(-1, 3, -1, -1)
    return images_NCHW.contiguous()


_LONGEST_RATIO = 16
"""Of the longer side to the shorter one, in what is scaled: far longer than photographs are."""

_UNREADABLE = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    LookupError,
    TypeError,
    struct.error,
    Image.DecompressionBombError,
)
"""What Pillow raises for files that are damaged, no images, or far too large."""


def open_image(file: ImageFile) -> Image.Image:
    """Open an image.

    Raises:
        ValueError: it is no image; the message names the file.
    """
    try:
        return Image.open(BytesIO(file.content) if isinstance(file, EncodedImage) else file)
    except _UNREADABLE as error:
        raise _unreadable(file, error) from error


def _unreadable(file: ImageFile, error: BaseException) -> ValueError:
    # Pillow names the object that it was given, which says nothing of a row.
    reason = re.sub(r" <_io\.BytesIO object at 0x[0-9a-f]+>", "", str(error))
    name = shown(file) if isinstance(file, Path) else str(file)
    return ValueError(f"cannot read image {name}: {reason}; repair it or take it out")
