"""An opened image as a person sees it: upright, 8 bits a channel, transparent parts on white."""

from typing import Final

import numpy as np
from PIL import ExifTags, Image

_DEEP_MODES = frozenset(("I;16", "I;16L", "I;16B", "I;16N", "I"))
"""Gray of more than 8 bits: 0..65535."""

# What the orientation in EXIF asks for, so that the image stands upright (EXIF 2.32, tag 0x0112).
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright(image: Image.Image) -> Image.Image:
    """Return the first frame of an image, turned as its EXIF orientation tells."""
    image.load()
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except (OSError, SyntaxError, ValueError, LookupError, TypeError):
        # Damaged EXIF says nothing of the pixels, which are whole.
        turn = None
    return image if turn is None else image.transpose(turn)


def rgb_on_white(image: Image.Image) -> Image.Image:
    """Return an image as RGB of 8 bits: deep gray scaled, alpha composed on white.

    Gray of 16 bits and 32-bit integers are taken as 0..65535; floats as 0..1, or as 0..255 where the
    largest is above 1.

    Raises:
        ValueError: a value lies outside of that.
    """
    if image.mode in _DEEP_MODES:
        return _scale_deep(image)
    if image.mode == "F":
        return _scale_floats(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image.convert("RGB")


def is_gray(mode: str) -> bool:
    """Tell whether images of one of Pillow's modes have no colours."""
    return mode in ("1", "L", "LA", "La", "F") or mode in _DEEP_MODES


def _scale_deep(image: Image.Image) -> Image.Image:
    values_HW = np.asarray(image).astype(np.int64)
    lowest, highest = values_HW.min(), values_HW.max()
    if lowest < 0 or highest > 65535:
        raise ValueError(
            f"its integers go from {lowest} to {highest}, gray of 16 bits goes from 0 to 65535"
        )
    # 65535 is 257 times 255; adding half of 257 rounds.
    gray_HW = (values_HW + 128) // 257
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        gray_HW = np.where(values_HW == transparent, 255, gray_HW)
    return Image.fromarray(gray_HW.astype(np.uint8)).convert("RGB")


def _scale_floats(image: Image.Image) -> Image.Image:
    values_HW = np.asarray(image, np.float64)
    lowest, highest = values_HW.min(), values_HW.max()
    if not (lowest >= 0 and highest <= 255):
        raise ValueError(f"its floats go from {lowest:g} to {highest:g}, neither 0..1 nor 0..255")
    scale = 255 if highest <= 1 else 1
    return Image.fromarray(np.rint(values_HW * scale).astype(np.uint8)).convert("RGB")
