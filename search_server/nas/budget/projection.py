"""Theta is held at its caps, and made more decided on a schedule.

Of all distributions with E[LAT] = T, the nearest to softmax(theta) in relative entropy is
``softmax(theta - multiplier * latency)``, with the Lagrange multiplier of the budget. E[LAT] falls as the
multiplier rises, so it is found by halving an interval, after every step of theta.

Several caps have a multiplier each, at least 0, and 0 where a cap is kept with room. They are the minimum
of a smooth convex function, the dual: one of as many variables as there are caps. The worst case is held:
the largest of E[cost] / limit is 1.

While theta is undecided, its most probable network is far from the mean that is held. So theta is also
scaled up until its entropy is within a limit that falls as the search goes on. With little entropy left,
the mean and the most probable network meet.

Source: Csiszar, "I-divergence geometry of probability distributions" (1975), theorem 3.1, of the tilting;
Boyd and Vandenberghe, "Convex Optimization" (2004), section 5.2.4, of the dual with inequalities;
Bertsekas, "Projected Newton methods for optimization problems with simple constraints" (1982), of its
minimum.

Shape letters: L layers, K candidates, D caps.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from search_server.nas.budget.caps import Cap, Matrix

_NUM_HALVINGS = 60
_MAX_NEWTON_STEPS = 100
_UNDECIDED = 1e-3
"""The largest logit of a theta that is as good as uniform."""
_SETTLED = 1e-10
"""How far E[cost] may stay from its limit, in units of the widest layer's range."""
_BLUNT = 30.0
"""Logits across their layer, beyond which the dual has corners: it is solved for blunter ones first."""
_LARGEST_DAMPING, _SUFFICIENT = 1e12, 1e-4
"""A Newton step is shortened until it falls by so much of what its gradient says."""
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

    From outside it is a point of a convex set: that which all caps leave. From inside it lies on the
    nearest of the caps, each taken alone: on the way to it no other cap is crossed, or that one would be
    nearer. A cap that no network reaches plays no part.
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
    """Return the multipliers ``(D,)``, at least 0, of the nearest distribution that keeps all caps.

    Caps that no distribution keeps together give multipliers at the end of what is tried.
    """
    relative_DLK = np.stack([relative(cap) for cap in caps])
    room_D = np.array([(cap.limit - _even_cost(cap)) / cap.spread for cap in caps])
    size = float(np.ptp(logits_LK, axis=1).max())
    num_doublings = max(0, math.ceil(math.log2(max(size, 1.0) / _BLUNT)))
    multipliers_D = np.zeros(len(caps))
    for halvings in range(num_doublings, -1, -1):
        dual = _Dual(logits_LK / 2**halvings, relative_DLK, room_D)
        multipliers_D = _lowest(dual, 2 * multipliers_D, _LARGEST_TILT * max(1.0, size / 2**halvings))
    return multipliers_D


@dataclass(frozen=True, slots=True, eq=False)
class _Dual:
    """``sum over layers of log sum exp(logits - multipliers * relative) + multipliers * room``."""

    logits_LK: Matrix
    relative_DLK: Matrix
    room_D: Matrix

    def value(self, multipliers_D: Matrix) -> float:
        tilted_LK = self._tilted(multipliers_D)
        most_L = tilted_LK.max(1)
        sums_L = most_L + np.log(np.exp(tilted_LK - most_L[:, None]).sum(1))
        return float(sums_L.sum() + multipliers_D @ self.room_D)

    def slopes(self, multipliers_D: Matrix) -> tuple[Matrix, Matrix]:
        """Return the gradient, what the caps leave unused, and the covariance of their costs."""
        p_LK = softmax(self._tilted(multipliers_D))
        means_DL = (self.relative_DLK * p_LK).sum(2)
        around_DLK = self.relative_DLK - means_DL[:, :, None]
        covariance_DD = np.einsum("dlk,elk,lk->de", around_DLK, around_DLK, p_LK)
        return self.room_D - means_DL.sum(1), covariance_DD

    def _tilted(self, multipliers_D: Matrix) -> Matrix:
        tilted_LK: Matrix = self.logits_LK - np.tensordot(multipliers_D, self.relative_DLK, axes=1)
        return tilted_LK


def _lowest(dual: _Dual, start_D: Matrix, most: float) -> Matrix:
    """Return where a dual is least, each multiplier between 0 and ``most``."""
    at_D, damping = np.clip(start_D, 0.0, most), 1e-12
    value = dual.value(at_D)
    for _ in range(_MAX_NEWTON_STEPS):
        gradient_D, curvature_DD = dual.slopes(at_D)
        is_free_D = ~(((at_D <= 0) & (gradient_D > 0)) | ((at_D >= most) & (gradient_D < 0)))
        free = np.flatnonzero(is_free_D)
        if not len(free) or np.abs(gradient_D[free]).max() < _SETTLED:
            break
        while damping < _LARGEST_DAMPING:
            damped_FF = curvature_DD[np.ix_(free, free)] + damping * np.eye(len(free))
            next_D = at_D.copy()
            next_D[free] -= np.linalg.solve(damped_FF, gradient_D[free])
            next_D = np.clip(next_D, 0.0, most)
            next_value = dual.value(next_D)
            if next_value <= value + _SUFFICIENT * float(gradient_D @ (next_D - at_D)):
                break
            damping *= 10
        else:
            break
        at_D, value, damping = next_D, next_value, max(damping / 100, 1e-12)
    return at_D


def _even_cost(cap: Cap) -> float:
    """Return the mean cost of networks drawn evenly: where relative costs are 0."""
    return cap.fixed + float(cap.cost_LK.mean(1).sum())


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
