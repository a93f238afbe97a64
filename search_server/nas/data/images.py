"""Labelled images as uint8, in memory or decoded when asked for, and their four disjoint splits.

Shape letters: N images, C channels, H height, W width.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from search_server.nas.data.crops import crop_box
from search_server.nas.data.decode_image import ImageFile, fit_images, read_image


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
        """Training mirrors images: a mirrored image shows the same class (not so for digits)."""

    @property
    def crops(self) -> bool | None:
        """Training takes random parts of large images, as of photographs; None: where it mirrors."""

    @property
    def resolution(self) -> int:
        """Height and width of the images that are returned."""

    def images(self, indices: Sequence[int], crops_N4: Tensor | None = None) -> Tensor:
        """Return uint8 images ``(len(indices), 3, H, W)``: whole, or a drawn part of each."""

    def select(self, indices: Sequence[int]) -> "ImageSource":
        """Return the images at these indices as a source of their own."""

    def with_classes(self, labels_N: Tensor, class_names: tuple[str, ...]) -> "ImageSource":
        """Return the same images under other labels."""

    def with_mirroring(self, mirrors: bool) -> "ImageSource":
        """Return the same images, mirrored in training or not; parts are taken of them as before."""


@dataclass(frozen=True, slots=True)
class ImagesInMemory:
    """All images in one uint8 tensor, as they come; brought to the resolution when asked for."""

    images_NCHW: Tensor
    """Of any size; one channel (gray) or three."""
    labels_N: Tensor
    class_names: tuple[str, ...]
    resolution: int
    mirrors: bool
    crops: bool | None = None

    def images(self, indices: Sequence[int], crops_N4: Tensor | None = None) -> Tensor:
        images_NCHW = self.images_NCHW[torch.as_tensor(indices, dtype=torch.int64)]
        if crops_N4 is None:
            return fit_images(images_NCHW, self.resolution)
        height, width = images_NCHW.shape[2:]
        boxes = [crop_box(width, height, crop) for crop in crops_N4.tolist()]
        parts = [
            image_CHW[None, :, top:bottom, left:right]
            for image_CHW, (left, top, right, bottom) in zip(images_NCHW, boxes, strict=True)
        ]
        return torch.cat([fit_images(part, self.resolution) for part in parts])

    def with_classes(self, labels_N: Tensor, class_names: tuple[str, ...]) -> "ImagesInMemory":
        return replace(self, labels_N=labels_N, class_names=class_names)

    def with_mirroring(self, mirrors: bool) -> "ImagesInMemory":
        crops = self.mirrors if self.crops is None else self.crops
        return replace(self, mirrors=mirrors, crops=crops)

    def select(self, indices: Sequence[int]) -> "ImagesInMemory":
        chosen = torch.as_tensor(indices, dtype=torch.int64)
        return replace(self, images_NCHW=self.images_NCHW[chosen], labels_N=self.labels_N[chosen])


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """Encoded images that are decoded when asked for: those that do not fit in memory decoded."""

    files: tuple[ImageFile, ...]
    labels_N: Tensor
    class_names: tuple[str, ...]
    resolution: int
    mirrors: bool
    crops: bool | None = None

    def images(self, indices: Sequence[int], crops_N4: Tensor | None = None) -> Tensor:
        images_NCHW = torch.empty((len(indices), 3, self.resolution, self.resolution), dtype=torch.uint8)
        crops = [None] * len(indices) if crops_N4 is None else crops_N4.tolist()
        for image_CHW, index, crop in zip(images_NCHW, indices, crops, strict=True):
            image_CHW.copy_(read_image(self.files[index], self.resolution, crop))
        return images_NCHW

    def with_classes(self, labels_N: Tensor, class_names: tuple[str, ...]) -> "ImageFiles":
        return replace(self, labels_N=labels_N, class_names=class_names)

    def with_mirroring(self, mirrors: bool) -> "ImageFiles":
        crops = self.mirrors if self.crops is None else self.crops
        return replace(self, mirrors=mirrors, crops=crops)

    def select(self, indices: Sequence[int]) -> "ImageFiles":
        chosen = torch.as_tensor(indices, dtype=torch.int64)
        files = tuple(self.files[index] for index in indices)
        return replace(self, files=files, labels_N=self.labels_N[chosen])


@dataclass(frozen=True, slots=True)
class DataSplits:
    """Four disjoint parts: for weights, for theta, for choosing among networks, and for reporting."""

    weights: ImageSource
    theta: ImageSource
    validation: ImageSource
    test: ImageSource
    training: ImageSource
    """``weights`` and ``theta`` together: what a network is trained on from scratch."""
    notes: tuple[str, ...] = ()
    """What of the data is not read and why, and what else is to be known of it; a sentence each."""

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


def with_theta_share(data: DataSplits, theta_share: float, seed: int) -> DataSplits:
    """Return the same data with another share of the training images for theta, 0..1, of each class."""
    generator = torch.Generator().manual_seed(seed)
    weights: list[int] = []
    theta: list[int] = []
    for label in range(data.num_classes):
        members = (data.training.labels_N == label).nonzero().flatten()
        members = members[torch.randperm(len(members), generator=generator)]
        num_theta = min(max(1, round(theta_share * len(members))), len(members) - 1)
        theta += members[:num_theta].tolist()
        weights += members[num_theta:].tolist()
    training = data.training
    return replace(data, weights=training.select(sorted(weights)), theta=training.select(sorted(theta)))


def number_labels(
    labels: Sequence[Hashable], classes: Sequence[Hashable], place: Callable[[int], str]
) -> Tensor:
    """Return each label's place among the classes, int64.

    Raises:
        ValueError: a label is none of them; the message says where: ``place`` of its index.
    """
    numbers = {label: number for number, label in enumerate(classes)}
    for index, label in enumerate(labels):
        if label not in numbers:
            raise ValueError(f"{place(index)} has label {label!r}, which the training images do not have")
    return torch.tensor([numbers[label] for label in labels], dtype=torch.int64)
