"""Theta is held at its caps, and made more decided on a schedule.

Of all distributions with E[LAT] = T, the nearest to softmax(theta) in relative entropy is
``softmax(theta - multiplier * latency)``, with the Lagrange multiplier of the budget. E[LAT] falls as the
multiplier rises, so it is found by halving an interval, after every step of theta.

Several caps have a multiplier each. The worst case is held: the largest of E[cost] / limit is 1.

While theta is undecided, its most probable network is far from the mean that is held. So theta is also
scaled up until its entropy is within a limit that falls as the search goes on. With little entropy left,
the mean and the most probable network meet.

Source: Csiszar, "I-divergence geometry of probability distributions" (1975), theorem 3.1, of the tilting;
Bregman, "The relaxation method of finding the common point of convex sets" (1967), of one cap at a time.

Shape letters: L layers, K candidates, D caps.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from search_server.nas.budget.caps import Cap, Matrix

_NUM_HALVINGS = 60
_MAX_SWEEPS = 50
_UNDECIDED = 1e-3
"""The largest logit of a theta that is as good as uniform."""
_TOLERANCE = 1e-5
"""Relative: how far E[cost] may stay above a limit."""
_LARGEST_TILT = 1e3
"""Of one layer's logits across its range of costs, in units of the largest logit where that is above 1."""

_LOWEST_LOGIT = -1e3
"""Below a layer's largest: no less probable than this, so that ties among the large ones survive fp32."""


def hold(theta_LK: Tensor, caps: Sequence[Cap], entropy_limit: float) -> None:
    """Change theta in place so that it is decided enough and one of its caps is used in full, none more.

    Args:
        theta_LK: logits of the choice.
        caps: limits on mean costs, met as far as the candidates reach; none: costs are left alone.
        entropy_limit: largest mean entropy of a layer afterwards, nats; rows without any lean keep theirs.
    """
    logits_LK = theta_LK.detach().double().cpu().numpy()
    logits_LK = logits_LK - logits_LK.mean(1, keepdims=True)

    def at(scale: float) -> Matrix:
        return project(scale * logits_LK, caps)

    held_LK = at(1.0)
    if mean_entropy(held_LK) > entropy_limit:
        held_LK = at(_smallest_scale(lambda scale: mean_entropy(at(scale)) <= entropy_limit))
    held_LK = np.maximum(held_LK - held_LK.max(1, keepdims=True), _LOWEST_LOGIT)
    with torch.no_grad():
        theta_LK.copy_(torch.from_numpy(held_LK - held_LK.mean(1, keepdims=True)))


def undecided(logits_LK: Tensor) -> Tensor:
    """Return the same leanings ``(L, K)``, so small that :func:`hold` scales them up to its limit."""
    return _UNDECIDED * logits_LK / logits_LK.abs().max().clamp_min(_UNDECIDED)


def project(logits_LK: Matrix, caps: Sequence[Cap]) -> Matrix:
    """Return the logits of the nearest distribution whose largest E[cost] / limit is 1.

    From outside it is a point of a convex set, found by keeping one cap after the other until all are
    kept. From inside it lies on the nearest of the caps, each taken alone: on the way to it no other cap
    is crossed, or that one would be nearer. A cap that no network reaches plays no part.
    """
    caps = [cap for cap in caps if cap.limit <= cap.most]
    if not caps:
        return logits_LK
    if all(cap.expected(softmax(logits_LK)) <= cap.limit for cap in caps):
        tilted = [logits_LK - multiplier(logits_LK, cap) * relative(cap) for cap in caps]
        return min(tilted, key=lambda tilted_LK: _distance(tilted_LK, logits_LK))
    multipliers_D = multipliers(logits_LK, caps)
    return logits_LK - np.tensordot(multipliers_D, [relative(cap) for cap in caps], axes=1)


def multipliers(logits_LK: Matrix, caps: Sequence[Cap]) -> Matrix:
    """Return the least multiplier of each cap, at least 0, that together keep all of them."""
    multipliers_D = np.zeros(len(caps))
    relative_DLK = np.stack([relative(cap) for cap in caps])
    for _ in range(_MAX_SWEEPS):
        for index, cap in enumerate(caps):
            multipliers_D[index] = 0.0
            others_LK = logits_LK - np.tensordot(multipliers_D, relative_DLK, axes=1)
            if cap.expected(softmax(others_LK)) > cap.limit:
                multipliers_D[index] = multiplier(others_LK, cap)
        held_LK = softmax(logits_LK - np.tensordot(multipliers_D, relative_DLK, axes=1))
        if all(cap.expected(held_LK) <= cap.limit * (1 + _TOLERANCE) for cap in caps):
            break
    return multipliers_D


def multiplier(logits_LK: Matrix, cap: Cap) -> float:
    """Return the factor m with which ``logits - m * relative(cap)`` has E[cost] = limit.

    A limit beyond what the candidates reach gives the end on that side.
    """
    relative_LK = relative(cap)
    high = _LARGEST_TILT * max(1.0, float(np.abs(logits_LK).max()))
    low = -high
    for _ in range(_NUM_HALVINGS):
        middle = (low + high) / 2
        if cap.expected(softmax(logits_LK - middle * relative_LK)) > cap.limit:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def relative(cap: Cap) -> Matrix:
    """Return the costs around their layer's mean, in units of the widest layer's range."""
    relative_LK: Matrix = (cap.cost_LK - cap.cost_LK.mean(1, keepdims=True)) / cap.spread
    return relative_LK


def mean_entropy(logits_LK: Matrix) -> float:
    """Return the mean over layers of the entropy of softmax(logits), nats."""
    p_LK = softmax(logits_LK)
    return float(-(p_LK * np.log(np.maximum(p_LK, 1e-300))).sum(1).mean())


def softmax(logits_LK: Matrix) -> Matrix:
    """Return the probabilities of each layer's candidates."""
    exp_LK: Matrix = np.exp(logits_LK - logits_LK.max(1, keepdims=True))
    p_LK: Matrix = exp_LK / exp_LK.sum(1, keepdims=True)
    return p_LK


def _distance(logits_LK: Matrix, origin_LK: Matrix) -> float:
    """Return the relative entropy of one distribution to another."""
    p_LK, q_LK = (np.maximum(softmax(each_LK), 1e-300) for each_LK in (logits_LK, origin_LK))
    return float((p_LK * np.log(p_LK / q_LK)).sum())


def _smallest_scale(is_decided: Callable[[float], bool]) -> float:
    low, high = 1.0, 2.0
    while not is_decided(high) and high < 1e6:
        low, high = high, 2 * high
    for _ in range(_NUM_HALVINGS // 3):
        middle = (low + high) / 2
        if is_decided(middle):
            high = middle
        else:
            low = middle
    return high
