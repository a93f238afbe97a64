"""Whether training mirrors images: as asked, else by a rule that the data has to pass."""

from dataclasses import dataclass
from hashlib import blake2b

import torch

from search_server.nas.data.images import ImageFiles, ImageSource
from search_server.nas.data.mirrored_means import MirroredMeans

_NUM_COMPARED = 4096
_NUM_DECODED = 512
"""Of images that are decoded for it, so that it takes seconds."""
_LEAST_SHARE = 0.01
_NUM_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class MirroredTwins:
    """Images whose mirrored pixels are those of an image of another class."""

    num_twins: int
    num_compared: int
    classes: tuple[str, str] | None
    """Of the first pair."""
    alike: tuple[str, str] | None = None
    """Classes whose mean images are each other's mirror image, if there are two."""

    @property
    def are_signs(self) -> bool:
        """More than a few wrong labels explain: left and right tell the classes apart."""
        return self.num_twins > 1 and self.num_twins >= _LEAST_SHARE * self.num_compared


def choose_mirroring(source: ImageSource, mirror: bool | None) -> tuple[bool, str]:
    """Return whether to mirror, and why where that is worth telling.

    Args:
        source: training images; gray ones are taken for signs, which do not mirror.
        mirror: what was asked; None: gray images are not mirrored, and others unless mirrored images of
            one class are images of another class, pixel for pixel, or the classes are mirrored in the mean.
    """
    if mirror is not None:
        return mirror, ""
    if not source.mirrors:
        return False, ""
    twins = find_mirrored_twins(source)
    if twins.are_signs and twins.classes is not None:
        why = (
            f"{twins.num_twins} of {twins.num_compared} mirrored are images of another class "
            f"({twins.classes[0]} and {twins.classes[1]})"
        )
    elif twins.alike is not None:
        why = (
            f"classes {twins.alike[0]} and {twins.alike[1]} are each other's mirror image in the mean of "
            f"{twins.num_compared} images"
        )
    else:
        return True, ""
    return False, f"images are not mirrored, since {why}; --mirror mirrors them all the same"


def find_mirrored_twins(source: ImageSource) -> MirroredTwins:
    """Compare images, evenly from a source, with their mirrored pixels."""
    most = _NUM_DECODED if isinstance(source, ImageFiles) else _NUM_COMPARED
    labels = source.labels_N.tolist()
    indices = range(0, len(labels), -(-len(labels) // most))
    labels_of: dict[bytes, set[int]] = {}
    mirrored: list[tuple[bytes, int]] = []
    means = MirroredMeans(len(source.class_names))
    for start in range(0, len(indices), _NUM_AT_ONCE):
        chunk = indices[start : start + _NUM_AT_ONCE]
        images_NCHW = source.images(chunk)
        flipped_NCHW = images_NCHW.flip(3)
        means.add(images_NCHW, [labels[index] for index in chunk])
        for index, image_CHW, flipped_CHW in zip(chunk, images_NCHW, flipped_NCHW, strict=True):
            labels_of.setdefault(_digest(image_CHW), set()).add(labels[index])
            # What is its own mirror image, such as one colour, says nothing of left and right.
            if not torch.equal(image_CHW, flipped_CHW):
                mirrored.append((_digest(flipped_CHW), labels[index]))
    others = ((label, labels_of.get(key, set()) - {label}) for key, label in mirrored)
    twins = [(label, min(found)) for label, found in others if found]
    names, alike = source.class_names, means.mirrored_pair()
    return MirroredTwins(
        len(twins),
        len(indices),
        (names[twins[0][0]], names[twins[0][1]]) if twins else None,
        (names[alike[0]], names[alike[1]]) if alike else None,
    )


def _digest(image_CHW: torch.Tensor) -> bytes:
    return blake2b(image_CHW.contiguous().numpy().tobytes(), digest_size=16).digest()
