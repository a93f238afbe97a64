"""Random resized crops, as networks for ImageNet are trained with: a part of each image, at full size.

A crop is drawn as four numbers in 0..1 that become a box once the size of an image is known, so that the
draws of an epoch come from one generator while threads decode.

Source: Szegedy et al., "Going Deeper with Convolutions" (arXiv 1409.4842), section 6: 8 % to all of the
area, sides in a ratio of 3:4 to 4:3. Deviation: a box that does not fit is cut to the image, not redrawn.

Shape letters: N images.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_LEAST_AREA = 0.08
_LARGEST_RATIO = 4 / 3

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""


def draw_crops(num_images: int, generator: torch.Generator) -> Tensor:
    """Return four uniform numbers for each image: area, ratio of sides, place across, place down."""
    return torch.rand((num_images, 4), generator=generator)


def crop_box(width: int, height: int, crop: Sequence[float]) -> Box:
    """Return the box that a draw means in an image of this size."""
    area, ratio, across, down = crop
    pixels = (_LEAST_AREA + (1 - _LEAST_AREA) * area) * width * height
    side_ratio = math.exp((2 * ratio - 1) * math.log(_LARGEST_RATIO))
    box_width = max(1, min(width, round(math.sqrt(pixels * side_ratio))))
    box_height = max(1, min(height, round(math.sqrt(pixels / side_ratio))))
    left, top = round(across * (width - box_width)), round(down * (height - box_height))
    return left, top, left + box_width, top + box_height
