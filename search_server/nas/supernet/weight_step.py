"""One step of the weights: SGD on cross entropy along drawn paths, averaged over the shards of a step.

Source: FBNet (arXiv 1812.03443), section 4.1, for SGD and the cosine.

Shape letters: N batch.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from search_server.nas.data.batches import Batch
from search_server.nas.joined import joined
from search_server.nas.shards import ONE_SHARD, Shards
from search_server.nas.supernet.accelerator import forward_precision, repeatable
from search_server.nas.supernet.paths import Paths
from search_server.nas.supernet.supernet import Supernet
from search_server.search_options import SearchOptions


@dataclass(frozen=True, slots=True)
class WeightStepFacts:
    """What a step of the weights saw; tensors where it was computed, for reading one waits for a GPU."""

    loss: Tensor
    num_correct: Tensor
    num_images: int


class WeightStepper:
    """Moves the weights of a supernet by batches of the weight split."""

    def __init__(self, supernet: Supernet, options: SearchOptions, shards: Shards = ONE_SHARD) -> None:
        self.options = options
        self.shards = shards
        self.network: Supernet | DistributedDataParallel = (
            joined_supernet(supernet) if shards.world_size > 1 else supernet
        )
        self.parameters = list(supernet.weight_parameters())
        self.optimiser = torch.optim.SGD(
            self.parameters,
            lr=options.weight_lr,
            momentum=options.weight_momentum,
            weight_decay=options.weight_decay,
        )

    def step(self, batch: Batch, paths: Paths, progress: float) -> WeightStepFacts:
        """Take one step of a single shard; see :meth:`step_shards`."""
        (facts,) = self.step_shards([(batch, paths)], progress)
        return facts

    @repeatable()
    def step_shards(self, own: Sequence[tuple[Batch, Paths]], progress: float) -> list[WeightStepFacts]:
        """Take one step.

        Args:
            own: for each shard of this process images and labels of the weight split, and which candidates
                run. All shards of the step have equally many images.
            progress: share of the search that is done: the rate falls along half a cosine from 0 to 1.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.weight_lr * 0.5 * (1 + math.cos(math.pi * progress))
        self.optimiser.zero_grad()
        facts = [self._descend(*each, is_last=each is own[-1]) for each in own]
        if self.options.weight_clip:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.options.weight_clip)
        self.optimiser.step()
        return facts

    def _descend(self, batch: Batch, paths: Paths, *, is_last: bool) -> WeightStepFacts:
        """Add the gradient of a shard; with that of the last one the processes take the mean over them."""
        images_NCHW, labels_N = batch
        network = self.network
        own: AbstractContextManager[None] = nullcontext()
        if isinstance(network, DistributedDataParallel) and not is_last:
            own = network.no_sync()
        with own:
            with forward_precision(images_NCHW.device, self.options.mixed_precision):
                logits_NC = network(images_NCHW, paths)
            loss = F.cross_entropy(logits_NC.float(), labels_N)
            torch.autograd.backward(loss * (self.shards.world_size / self.shards.number))
        num_correct = (logits_NC.argmax(1) == labels_N).sum()
        return WeightStepFacts(loss.detach(), num_correct, len(labels_N))


def joined_supernet(supernet: Supernet) -> DistributedDataParallel:
    """Return a supernet whose gradients are averaged over all processes.

    Each process has paths of its own: a weight that only some of them used has a gradient of zero on the
    others, and one that none used has none. Theta is stepped alike on all of them, without gradients that
    travel. Statistics of batch norms stay with their process: nothing is evaluated with those of a
    supernet, see ``recalibrate`` in ``choosing/finalist.py``.
    """
    # Theta may be on another device than the weights.
    return joined(supernet, ignored=["theta_LK"], finds_unused=True)
