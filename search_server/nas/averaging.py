"""The moving average of weights and statistics that a training ends with."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def weight_average(network: nn.Module, decay: float) -> AveragedModel | None:
    """Return what averages a network over the steps of its training, None if nothing is averaged.

    Args:
        network: what is trained.
        decay: of the average in a step, 0..1 (below 1); 0 averages nothing.
    """
    if not decay:
        return None

    def follow(averaged: Sequence[Tensor], current: Sequence[Tensor], num_steps: Tensor | int) -> None:
        # At first the average follows closely: the weights that training begins with are worth nothing.
        decay_now = min(decay, (1 + int(num_steps)) / (10 + int(num_steps)))
        for mean, now in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(now, 1 - decay_now)
            else:  # batch norms count their batches
                mean.copy_(now)

    return AveragedModel(network, multi_avg_fn=follow, use_buffers=True)
