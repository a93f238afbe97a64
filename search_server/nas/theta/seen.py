"""What the draws of a step of theta tell, and how shards put it together.

Shape letters: L layers, K candidates, S shards, F figures.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What one or several draws tell: the loss, and its gradient by way of cross entropy and of latency."""

    loss: float
    """Of E[CE] and E[LAT], as the search weighs them."""
    accuracy: float
    """Of the networks that were run, 0..1."""
    ce_gradient_LK: Tensor
    latency_gradient_LK: Tensor


def flat(*figures: float | Tensor) -> Tensor:
    """Return figures in one row ``(F,)`` that keeps their bits."""
    return torch.cat([torch.as_tensor(each, dtype=torch.float64).flatten() for each in figures])


def split(figures_SF: Tensor, *shapes: Sequence[int]) -> list[Tensor]:
    """Return what ``flat`` put in one row apart, by the shapes of its figures; shards stand in front."""
    parts = torch.split(figures_SF, [math.prod(shape) for shape in shapes], dim=1)
    return [part.reshape(len(part), *shape) for part, shape in zip(parts, shapes, strict=True)]


def mean_seen(draws: Sequence[Seen]) -> Seen:
    """Return the mean of several draws, at least one."""
    return Seen(
        sum(draw.loss for draw in draws) / len(draws),
        sum(draw.accuracy for draw in draws) / len(draws),
        torch.stack([draw.ce_gradient_LK for draw in draws]).mean(0),
        torch.stack([draw.latency_gradient_LK for draw in draws]).mean(0),
    )
