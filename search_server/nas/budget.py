"""Hold the distribution over networks at a target latency, and make it more decided on a schedule.

Among all distributions with E[LAT] = T, the one nearest to softmax(theta) in relative entropy is
``softmax(theta - multiplier * latency)``: the multiplier is the Lagrange multiplier of the budget. Since
E[LAT] falls as the multiplier rises, it is raised while E[LAT] is over the target and lowered while it is
under until they agree, after every step of theta, instead of chasing the target by gradient.

E[LAT] at its target says little while theta is undecided: the most probable network of a spread
distribution is far from its mean. So theta is also scaled up until its entropy is within a limit that
falls as the search goes on; with little entropy left, mean and most probable network meet.

Source of the tilting: Csiszar, "I-divergence geometry of probability distributions" (1975), theorem 3.1.

Shape letters: L layers, K candidates.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_server.nas.latency_loss import LatencyModel

Matrix = NDArray[np.float64]

_NUM_HALVINGS = 40
_LARGEST_TILT = 1e3
"""Of one layer's logits across its range of latencies."""


def hold(theta_LK: Tensor, latency: LatencyModel, target_us: float | None, entropy_limit: float) -> None:
    """Change theta in place so that it is decided enough and its E[LAT] is the target.

    Args:
        theta_LK: logits of the choice.
        latency: of the candidates.
        target_us: E[LAT] afterwards, as far as the candidates reach; None: E[LAT] is left alone.
        entropy_limit: largest mean entropy of a layer afterwards, nats; rows without any lean keep theirs.
    """
    logits_LK = theta_LK.detach().double().cpu().numpy()
    logits_LK = logits_LK - logits_LK.mean(1, keepdims=True)
    latency_us_LK = latency.latency_us_LK.numpy()
    rest_us = None if target_us is None else target_us - latency.fixed_us

    def at(scale: float) -> Matrix:
        scaled_LK = scale * logits_LK
        return scaled_LK if rest_us is None else tilt(scaled_LK, latency_us_LK, rest_us)

    held_LK = at(1.0)
    if mean_entropy(held_LK) > entropy_limit:
        held_LK = at(_smallest_scale(lambda scale: mean_entropy(at(scale)) <= entropy_limit))
    with torch.no_grad():
        theta_LK.copy_(torch.from_numpy(held_LK))


def tilt(logits_LK: Matrix, latency_us_LK: Matrix, target_us: float) -> Matrix:
    """Return ``logits - multiplier * latency`` with the multiplier that makes the mean latency the target.

    A target beyond what the candidates reach gives the distribution at that end.
    """
    spread_us = float(np.ptp(latency_us_LK, axis=1).max())
    if spread_us <= 0:
        return logits_LK
    relative_LK = (latency_us_LK - latency_us_LK.mean(1, keepdims=True)) / spread_us
    low, high = -_LARGEST_TILT, _LARGEST_TILT
    for _ in range(_NUM_HALVINGS):
        multiplier = (low + high) / 2
        mean_us = float((_softmax(logits_LK - multiplier * relative_LK) * latency_us_LK).sum())
        if mean_us > target_us:
            low = multiplier
        else:
            high = multiplier
    tilted_LK: Matrix = logits_LK - (low + high) / 2 * relative_LK
    return tilted_LK


def mean_entropy(logits_LK: Matrix) -> float:
    """Return the mean over layers of the entropy of softmax(logits), nats."""
    p_LK = _softmax(logits_LK)
    return float(-(p_LK * np.log(np.maximum(p_LK, 1e-300))).sum(1).mean())


def _smallest_scale(is_decided: Callable[[float], bool]) -> float:
    low, high = 1.0, 2.0
    while not is_decided(high) and high < 1e6:
        low, high = high, 2 * high
    for _ in range(_NUM_HALVINGS // 2):
        middle = (low + high) / 2
        if is_decided(middle):
            high = middle
        else:
            low = middle
    return high


def _softmax(logits_LK: Matrix) -> Matrix:
    exp_LK: Matrix = np.exp(logits_LK - logits_LK.max(1, keepdims=True))
    p_LK: Matrix = exp_LK / exp_LK.sum(1, keepdims=True)
    return p_LK
