"""Mixup: each image is blended with its opposite in the batch, and so are their labels.

Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization" (arXiv 1710.09412).

Shape letters: N batch, C classes or channels, H height, W width.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def blended(images_NCHW: Tensor, mixup: float, generator: np.random.Generator) -> tuple[Tensor, float]:
    """Return each image blended with its opposite in the batch, and its own share, 0.5..1."""
    if not mixup:
        return images_NCHW, 1.0
    drawn = float(generator.beta(mixup, mixup))
    share = max(drawn, 1 - drawn)
    return torch.lerp(images_NCHW.flip(0), images_NCHW, share), share


def label_loss(logits_NC: Tensor, labels_N: Tensor, share: float, smoothing: float) -> Tensor:
    """Return the cross entropy of blended images, whose opposites have the rest of the share."""
    loss = F.cross_entropy(logits_NC, labels_N, label_smoothing=smoothing)
    if share == 1.0:
        return loss
    other = F.cross_entropy(logits_NC, labels_N.flip(0), label_smoothing=smoothing)
    return share * loss + (1 - share) * other
