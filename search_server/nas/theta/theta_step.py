"""One step of theta: it follows cross entropy and latency, and is held at its caps.

Unlike FBNet (arXiv 1812.03443), equation 8, LAT is not that of the drawn factors. It is the mean under
softmax(theta), which has no noise.

Shape letters: N batch, L layers, K candidates.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from search_server.nas.budget.caps import Cap
from search_server.nas.budget.latency_loss import LatencyLoss
from search_server.nas.budget.latency_model import LatencyModel
from search_server.nas.budget.projection import hold, undecided
from search_server.nas.data.batches import Batch
from search_server.nas.supernet.accelerator import forward_precision, repeatable
from search_server.nas.supernet.paths import Paths, balanced_paths, log_probabilities, sample_paths
from search_server.nas.supernet.supernet import Supernet
from search_server.nas.theta.effects import BlockEffects
from search_server.search_options import SearchOptions


@dataclass(frozen=True, slots=True)
class ThetaStepFacts:
    """What a step of theta saw."""

    loss: float
    """Of E[CE] and E[LAT] under theta."""
    accuracy: float
    """Of the networks that were run, 0..1."""
    cross_entropy_gradient: float
    """Norm of the loss's gradient by way of cross entropy."""
    latency_gradient: float
    """Norm of the loss's gradient by way of latency."""


class ThetaStepper:
    """Moves theta of a supernet by batches of the theta split."""

    def __init__(
        self,
        supernet: Supernet,
        latency: LatencyModel,
        caps: Sequence[Cap],
        loss: LatencyLoss,
        options: SearchOptions,
        generator: torch.Generator,
    ) -> None:
        self.supernet = supernet
        self.latency = latency
        self.caps = caps
        self.loss = loss
        self.options = options
        self.generator = generator
        self.effects = BlockEffects(supernet.space)
        self.uses_effects = options.paths == "one" and options.theta_gradient == "effects"
        has_schedule = options.loss == "budget" and options.final_entropy < 1
        self.follows_effects = self.uses_effects and has_schedule
        """Theta is what the effects and the limits say, without a memory of its own."""
        self.optimiser = torch.optim.Adam(
            [supernet.theta_LK], lr=options.theta_lr, weight_decay=options.theta_decay
        )

    @repeatable()
    def step(self, batch: Batch, tau: float, entropy_limit: float) -> ThetaStepFacts:
        """Take one step.

        Args:
            batch: images and labels of the theta split.
            tau: temperature of the Gumbel softmax.
            entropy_limit: largest mean entropy of theta after the step, as a share of log K.
        """
        theta_LK = self.supernet.theta_LK
        estimate = self._effect_gradient if self.uses_effects else self._path_gradient
        cross_entropy, accuracy, ce_gradient_LK = estimate(batch, tau)
        leaf = torch.tensor(cross_entropy, dtype=torch.float64, requires_grad=True)
        expected_us = self.latency.expected_us(log_probabilities(theta_LK).exp())
        loss = self.loss(leaf, expected_us)
        slope, latency_gradient_LK = torch.autograd.grad(loss, (leaf, theta_LK))
        ce_gradient_LK = ce_gradient_LK * slope.to(ce_gradient_LK.dtype)
        if self.follows_effects:
            self._follow_effects()
        else:
            theta_LK.grad = ce_gradient_LK + latency_gradient_LK
            self.optimiser.step()
        self.hold(entropy_limit)
        return ThetaStepFacts(
            float(loss.detach()),
            accuracy,
            float(ce_gradient_LK.norm()),
            float(latency_gradient_LK.norm()),
        )

    def hold(self, entropy_limit: float) -> None:
        """Bring theta to its caps and within the entropy limit, a share of log K."""
        theta_LK = self.supernet.theta_LK
        hold(theta_LK, self.caps, entropy_limit * math.log(theta_LK.shape[1]))

    @torch.no_grad()
    def expected_us(self) -> float:
        """Return the mean latency of the networks that softmax(theta) draws."""
        return float(self.latency.expected_us(log_probabilities(self.supernet.theta_LK).exp()))

    def _path_gradient(self, batch: Batch, tau: float) -> tuple[float, float, Tensor]:
        """Differentiate cross entropy through the factors of the paths, averaged over several draws."""
        theta_LK = self.supernet.theta_LK
        num_paths = self.options.num_theta_paths
        gradient_LK, total, accuracy = torch.zeros_like(theta_LK), 0.0, 0.0
        for _ in range(num_paths):
            paths = sample_paths(theta_LK, tau, self.options.paths, self.generator)
            logits_NC = self._logits(batch, paths)
            cross_entropy = F.cross_entropy(logits_NC, batch[1])
            gradient_LK += (
                torch.autograd.grad(cross_entropy, theta_LK, materialize_grads=True)[0] / num_paths
            )
            total += float(cross_entropy.detach()) / num_paths
            accuracy += _accuracy(logits_NC, batch[1]) / num_paths
        return total, accuracy, gradient_LK

    @torch.no_grad()
    def _effect_gradient(self, batch: Batch, tau: float) -> tuple[float, float, Tensor]:
        """Run several networks on the same images and estimate E[CE] and its gradient from the effects.

        The networks are drawn evenly from all of the space: draws from a theta that leans tell little of
        what it leans away from, and effects came out half as good (docs/searching.md). With layers that
        choose independently the gradient is ``p (effect - sum of p * effect)`` in each layer.
        """
        theta_LK = self.supernet.theta_LK.detach()
        probability_LK = log_probabilities(theta_LK).exp()
        losses, accuracy, draws_PLK = [], 0.0, []
        for paths in balanced_paths(
            torch.zeros_like(theta_LK), self.options.num_theta_paths, self.generator
        ):
            logits_NC = self._logits(batch, paths)
            losses.append(F.cross_entropy(logits_NC, batch[1]))
            accuracy += _accuracy(logits_NC, batch[1]) / self.options.num_theta_paths
            draws_PLK.append(_one_hot(paths, theta_LK.shape[1]))
        losses_P = torch.stack(losses).to(theta_LK.device)
        self.effects.add(torch.stack(draws_PLK), losses_P)
        effects_LK = self.effects.effects_LK().to(theta_LK.dtype)  # around 0, the mean of even draws
        means_L1 = (probability_LK * effects_LK).sum(1, keepdim=True)
        cross_entropy = float(losses_P.mean() + means_L1.sum())
        return cross_entropy, accuracy, probability_LK * (effects_LK - means_L1)

    @torch.no_grad()
    def _follow_effects(self) -> None:
        """Set theta to the effects, so small that ``hold`` scales it up to the entropy of the schedule.

        That is the distribution with the least E[CE] of all with this entropy that keep the limits, as far
        as losses are sums of effects: ``softmax(-scale * effect - multiplier * latency)``.
        """
        effects_LK = self.effects.effects_LK()
        self.supernet.theta_LK.copy_(undecided(-effects_LK))

    def _logits(self, batch: Batch, paths: Paths) -> Tensor:
        """Return fp32 logits ``(N, num_classes)`` along a path."""
        with forward_precision(batch[0].device, self.options.mixed_precision):
            logits_NC: Tensor = self.supernet(batch[0], paths)
        return logits_NC.float()


@contextmanager
def frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Keep the running statistics of batch norms as they are: weights learn nothing of the theta split."""
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def _one_hot(paths: Paths, num_candidates: int) -> Tensor:
    chosen_L = torch.tensor([candidates[0] for candidates in paths.candidates_L])
    return F.one_hot(chosen_L, num_candidates).float()


def _accuracy(logits_NC: Tensor, labels_N: Tensor) -> float:
    return float((logits_NC.argmax(1) == labels_N).float().mean())
