"""One step of the weights: SGD on cross entropy along drawn paths.

Source: FBNet (arXiv 1812.03443), section 4.1, for SGD and the cosine.

Shape letters: N batch.
"""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from search_server.nas.data.batches import Batch
from search_server.nas.supernet.accelerator import forward_precision, repeatable
from search_server.nas.supernet.paths import Paths
from search_server.nas.supernet.supernet import Supernet
from search_server.search_options import SearchOptions


@dataclass(frozen=True, slots=True)
class WeightStepFacts:
    """What a step of the weights saw."""

    loss: float
    num_correct: int
    num_images: int


class WeightStepper:
    """Moves the weights of a supernet by batches of the weight split."""

    def __init__(self, supernet: Supernet, options: SearchOptions) -> None:
        self.supernet = supernet
        self.options = options
        self.parameters = list(supernet.weight_parameters())
        self.optimiser = torch.optim.SGD(
            self.parameters,
            lr=options.weight_lr,
            momentum=options.weight_momentum,
            weight_decay=options.weight_decay,
        )

    @repeatable()
    def step(self, batch: Batch, paths: Paths, progress: float) -> WeightStepFacts:
        """Take one step.

        Args:
            batch: images and labels of the weight split.
            paths: which candidates run.
            progress: share of the search that is done: the rate falls along half a cosine from 0 to 1.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.weight_lr * 0.5 * (1 + math.cos(math.pi * progress))
        images_NCHW, labels_N = batch
        with forward_precision(images_NCHW.device, self.options.mixed_precision):
            logits_NC = self.supernet(images_NCHW, paths)
        loss = F.cross_entropy(logits_NC.float(), labels_N)
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        if self.options.weight_clip:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.options.weight_clip)
        self.optimiser.step()
        num_correct = int((logits_NC.argmax(1) == labels_N).sum())
        return WeightStepFacts(float(loss.detach()), num_correct, len(labels_N))
