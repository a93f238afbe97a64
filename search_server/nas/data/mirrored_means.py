"""Classes that are each other's mirror image in the mean, such as signs that point left and right.

A mean alone may be like another by chance, so each class is cut in two halves that have to agree.

Shape letters: N images, C channels, H height, W width, K classes, P pixels of a small gray image.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

_SIDE = 32
"""Pixels: images are compared at this size at most."""
_ALIKE, _UNLIKE = 0.6, 0.3
"""Correlations. Of 1,125 sets of two classes of CIFAR-10, 8 to 600 images each, the highest was 0.24
between a mean and the mirrored one of the other class; of arrows at one place in the image, with noise as
strong as their contrast and 20 images each, it was 0.9."""


class MirroredMeans:
    """The mean images of classes, gathered from batches."""

    def __init__(self, num_classes: int) -> None:
        self._num_images_HK = torch.zeros(2, num_classes)
        self._sum_HKP: Tensor | None = None

    def add(self, images_NCHW: Tensor, labels: list[int]) -> None:
        """Take in uint8 images of one size; those of a class go to its halves in turn."""
        gray_N1HW = images_NCHW.float().mean(1, keepdim=True)
        if max(gray_N1HW.shape[2:]) > _SIDE:
            gray_N1HW = F.adaptive_avg_pool2d(gray_N1HW, _SIDE)
        if self._sum_HKP is None:
            num_classes = self._num_images_HK.shape[1]
            self._sum_HKP = torch.zeros(2, num_classes, *gray_N1HW.shape[2:])
        for gray_1HW, label in zip(gray_N1HW, labels, strict=True):
            half = int(self._num_images_HK[:, label].sum()) % 2
            self._num_images_HK[half, label] += 1
            self._sum_HKP[half, label] += gray_1HW[0]

    def mirrored_pair(self) -> tuple[int, int] | None:
        """Return two classes whose means are like the mirrored one of the other and not like their own."""
        if self._sum_HKP is None:
            return None
        # An empty half has a mean of 0 / 1, like no other.
        means = self._sum_HKP / self._num_images_HK.clamp_min(1)[:, :, None, None]
        means -= means.mean((0, 1))
        (first_KP, second_KP), mirrored = means.flatten(2), means.flip(3).flatten(2)
        across_KK = torch.minimum(_correlation(mirrored[0], second_KP), _correlation(mirrored[1], first_KP))
        is_steady_K = _correlation(first_KP, second_KP).diagonal() > _ALIKE
        is_lopsided_K = across_KK.diagonal() < _UNLIKE
        is_candidate_K = is_steady_K & is_lopsided_K
        likeness_KK = torch.minimum(across_KK, across_KK.T)
        likeness_KK[~(is_candidate_K[:, None] & is_candidate_K)] = -1
        likeness_KK.fill_diagonal_(-1)
        best = int(likeness_KK.argmax())
        if likeness_KK.flatten()[best] <= _ALIKE:
            return None
        return best // len(likeness_KK), best % len(likeness_KK)


def _correlation(one_KP: Tensor, other_KP: Tensor) -> Tensor:
    """Return the correlation of each image with each other, 0 where one has a single colour."""
    one_KP, other_KP = (each - each.mean(1, keepdim=True) for each in (one_KP, other_KP))
    return F.normalize(one_KP) @ F.normalize(other_KP).T
