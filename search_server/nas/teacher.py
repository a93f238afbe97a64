"""A trained network that others learn from beside the labels: knowledge distillation.

Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network" (arXiv 1503.02531).

Shape letters: N batch, C classes, H height, W width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from search_server.nas.supernet.accelerator import forward_precision, in_full

TEMPERATURE = 4.0
"""Of both softmaxes: at 1 a sure teacher says little more than the label."""


@dataclass(frozen=True, slots=True)
class Teacher:
    """What a network learns from."""

    network: nn.Module
    """In evaluation mode, where the learning network is; it sees the same images, augmented alike."""
    weight: float
    """Share of the loss, 0..1; the labels have the rest."""

    def loss(self, images_NCHW: Tensor, logits_NC: Tensor, mixed_precision: bool = False) -> Tensor:
        """Return the divergence of the network's answers from the teacher's, nats * temperature^2."""
        with torch.no_grad(), forward_precision(images_NCHW.device, mixed_precision):
            told_NC = in_full(self.network(images_NCHW))
        return TEMPERATURE**2 * F.kl_div(
            F.log_softmax(logits_NC / TEMPERATURE, dim=1),
            F.log_softmax(told_NC / TEMPERATURE, dim=1),
            reduction="batchmean",
            log_target=True,
        )

    def require_classes(self, resolution: int, num_classes: int) -> None:
        """Return if the network answers images with one logit a class.

        Raises:
            ValueError: it does not.
        """
        device = next(self.network.parameters()).device
        with torch.no_grad():
            told = self.network(torch.zeros(1, 3, resolution, resolution, device=device))
        shape = tuple(told.shape) if isinstance(told, Tensor) else type(told).__name__
        if shape != (1, num_classes):
            raise ValueError(
                f"the teacher answers an image of {resolution} x {resolution} with {shape}, not with "
                f"logits of shape (1, {num_classes}); name one that was trained on these classes"
            )
