"""Labelled images as uint8, in memory or decoded when asked for, and their four disjoint splits.

Shape letters: N images, C channels, H height, W width.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

MEMORY_LIMIT_BYTES = 2**30
"""Decoded images up to this size are kept in memory."""


class ImageSource(Protocol):
    """Images of one size with integer labels."""

    @property
    def labels_N(self) -> Tensor:
        """int64, 0 to ``num_classes - 1``."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each label."""

    @property
    def mirrors(self) -> bool:
        """A mirrored image shows the same class (not so for digits)."""

    def images(self, indices: Sequence[int]) -> Tensor:
        """Return uint8 images ``(len(indices), 3, H, W)``."""

    def select(self, indices: Sequence[int]) -> "ImageSource":
        """Return the images at these indices as a source of their own."""

    def with_classes(self, labels_N: Tensor, class_names: tuple[str, ...]) -> "ImageSource":
        """Return the same images under other labels."""


@dataclass(frozen=True, slots=True)
class ImagesInMemory:
    """All images in one uint8 tensor, as they come; brought to the resolution when asked for."""

    images_NCHW: Tensor
    """Of any size; one channel (gray) or three."""
    labels_N: Tensor
    class_names: tuple[str, ...]
    resolution: int
    mirrors: bool

    def images(self, indices: Sequence[int]) -> Tensor:
        return fit_images(self.images_NCHW[torch.as_tensor(indices, dtype=torch.int64)], self.resolution)

    def with_classes(self, labels_N: Tensor, class_names: tuple[str, ...]) -> "ImagesInMemory":
        return replace(self, labels_N=labels_N, class_names=class_names)

    def select(self, indices: Sequence[int]) -> "ImagesInMemory":
        chosen = torch.as_tensor(indices, dtype=torch.int64)
        return ImagesInMemory(
            self.images_NCHW[chosen],
            self.labels_N[chosen],
            self.class_names,
            self.resolution,
            self.mirrors,
        )


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """Encoded images that are decoded when asked for: those that do not fit in memory decoded."""

    files: tuple[Path | bytes, ...]
    labels_N: Tensor
    class_names: tuple[str, ...]
    resolution: int
    mirrors: bool

    def images(self, indices: Sequence[int]) -> Tensor:
        images_NCHW = torch.empty((len(indices), 3, self.resolution, self.resolution), dtype=torch.uint8)
        for image_CHW, index in zip(images_NCHW, indices, strict=True):
            image_CHW.copy_(read_image(self.files[index], self.resolution))
        return images_NCHW

    def with_classes(self, labels_N: Tensor, class_names: tuple[str, ...]) -> "ImageFiles":
        return replace(self, labels_N=labels_N, class_names=class_names)

    def select(self, indices: Sequence[int]) -> "ImageFiles":
        chosen = torch.as_tensor(indices, dtype=torch.int64)
        return ImageFiles(
            tuple(self.files[index] for index in indices),
            self.labels_N[chosen],
            self.class_names,
            self.resolution,
            self.mirrors,
        )


@dataclass(frozen=True, slots=True)
class DataSplits:
    """Four disjoint parts: for weights, for theta, for choosing among networks, and for reporting."""

    weights: ImageSource
    theta: ImageSource
    validation: ImageSource
    test: ImageSource
    training: ImageSource
    """``weights`` and ``theta`` together: what a network is trained on from scratch."""

    @property
    def num_classes(self) -> int:
        return len(self.weights.class_names)

    def require_fit(self, num_classes: int, space_name: str) -> None:
        """Check that a space has as many classes as the data.

        Raises:
            ValueError: it has not; the message says how to name the space.
        """
        if num_classes != self.num_classes:
            raise ValueError(
                f"space {space_name!r} tells {num_classes} classes apart, the data has "
                f"{self.num_classes}; override it with 'classes={self.num_classes}'"
            )


def split_images(source: ImageSource, test: ImageSource | None, seed: int) -> DataSplits:
    """Split by class: test 20 % (unless given), then weights 60 %, theta 25 %, validation 15 % of the rest.

    Each class is shuffled by the seed and divided by itself, so every split sees every class.

    Raises:
        ValueError: a class has too few images to reach every split.
    """
    generator = torch.Generator().manual_seed(seed)
    shares = (0.6, 0.25, 0.15) if test is not None else (0.48, 0.2, 0.12, 0.2)
    parts: list[list[int]] = [[] for _ in shares]
    for label, name in enumerate(source.class_names):
        members = (source.labels_N == label).nonzero().flatten()
        members = members[torch.randperm(len(members), generator=generator)]
        if len(members) < 2 * len(shares):
            raise ValueError(
                f"class {name!r} has {len(members)} images; at least {2 * len(shares)} are needed, "
                f"so that each of {len(shares)} splits sees the class"
            )
        bounds = [0] + [max(1, round(len(members) * sum(shares[: i + 1]))) for i in range(len(shares))]
        bounds[-1] = len(members)
        for part, start, stop in zip(parts, bounds, bounds[1:], strict=False):
            part += members[start:stop].tolist()
    splits = [source.select(sorted(part)) for part in parts]
    return DataSplits(
        weights=splits[0],
        theta=splits[1],
        validation=splits[2],
        test=splits[3] if test is None else test,
        training=source.select(sorted(parts[0] + parts[1])),
    )


def decode_images(
    files: Sequence[Path | bytes],
    labels_N: Tensor,
    class_names: tuple[str, ...],
    resolution: int,
    limit_bytes: int = MEMORY_LIMIT_BYTES,
) -> ImageSource:
    """Return encoded images as a source: decoded now if that fits in memory, else when asked for.

    Where the first image is gray, the images are taken for signs such as digits, which are not mirrored.

    Raises:
        ValueError: an image that is decoded now cannot be read.
    """
    with _open_image(files[0]) as first:
        mirrors = first.mode not in ("1", "L", "LA", "I;16")
    encoded = ImageFiles(tuple(files), labels_N, class_names, resolution, mirrors)
    if len(files) * 3 * resolution**2 > limit_bytes:
        return encoded
    images_NCHW = encoded.images(range(len(files)))
    return ImagesInMemory(images_NCHW, labels_N, class_names, resolution, mirrors)


def number_labels(labels: Sequence[Hashable], classes: Sequence[Hashable], where: str) -> Tensor:
    """Return each label's place among the classes, int64.

    Raises:
        ValueError: a label is none of them; the message says ``where``.
    """
    numbers = {label: number for number, label in enumerate(classes)}
    unknown = next((label for label in labels if label not in numbers), None)
    if unknown is not None:
        raise ValueError(f"{where} has label {unknown!r}, which the training images do not have")
    return torch.tensor([numbers[label] for label in labels], dtype=torch.int64)


def read_image(file: Path | bytes, resolution: int) -> Tensor:
    """Return an image as uint8 ``(3, resolution, resolution)``: shorter side scaled, centre cropped.

    Args:
        file: a path, or the content of an image file.
        resolution: height and width of the result.

    Raises:
        ValueError: it cannot be read as an image; the message names the file.
    """
    with _open_image(file) as image:
        try:
            rgb = image.convert("RGB")
        except _UNREADABLE as error:
            raise _unreadable(file, error) from error
    scale = resolution / min(rgb.size)
    width, height = (max(resolution, round(side * scale)) for side in rgb.size)
    left, top = (width - resolution) // 2, (height - resolution) // 2
    rgb = rgb.resize((width, height), Image.Resampling.BILINEAR)
    square = rgb.crop((left, top, left + resolution, top + resolution))
    return torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()


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


_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What Pillow raises for files that are damaged, no images, or far too large."""


def _open_image(file: Path | bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(file) if isinstance(file, bytes) else file)
    except _UNREADABLE as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path | bytes, error: BaseException) -> ValueError:
    name = f"of {len(file)} bytes in a data file" if isinstance(file, bytes) else str(file)
    return ValueError(f"cannot read image {name}: {error}; repair it or take it out")
