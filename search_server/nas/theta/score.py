"""The gradient of a mean loss by the score function: several paths, each judged by the others.

Source: Kool, van Hoof, Welling, "Buy 4 REINFORCE Samples, Get a Baseline for Free!" (ICLR workshop, 2019).

Shape letters: P paths, L layers, K candidates.
"""

from torch import Tensor


def leave_one_out_gradient(draws_PLK: Tensor, losses_P: Tensor, probability_LK: Tensor) -> Tensor:
    """Return an unbiased gradient ``(L, K)`` of the mean loss by the logits of the choices.

    Args:
        draws_PLK: independent choices, one-hot, at least two.
        losses_P: their losses, each judged by how far it lies above the mean of the others.
        probability_LK: what they were drawn with.
    """
    num_paths = len(losses_P)
    above_P = (losses_P - losses_P.mean()) * num_paths / (num_paths - 1)
    gradient_LK: Tensor = (above_P[:, None, None] * (draws_PLK - probability_LK)).mean(0)
    return gradient_LK
