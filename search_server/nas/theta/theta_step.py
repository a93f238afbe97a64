"""One step of theta: it follows cross entropy and latency, and is held at its caps.

LAT is the mean under softmax(theta), which has no noise, or that of the drawn factors, as in FBNet
(arXiv 1812.03443), equation 8: ``latency_of``.

Cross entropy reaches theta in one of three ways: through the factors of paths; by the score function, each
path against the others; or by the effects of a regression, which is no gradient where the schedule of
entropy says how decided theta is.

Shape letters: N batch, P paths, L layers, K candidates.
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
from search_server.nas.shards import ONE_SHARD, Shards
from search_server.nas.supernet.accelerator import forward_precision, repeatable
from search_server.nas.supernet.paths import Paths, balanced_paths, log_probabilities, sample_paths
from search_server.nas.supernet.supernet import Supernet
from search_server.nas.theta.effects import BlockEffects
from search_server.nas.theta.score import leave_one_out_gradient
from search_server.nas.theta.seen import Seen, flat, mean_seen, split
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
        shards: Shards = ONE_SHARD,
    ) -> None:
        self.supernet = supernet
        self.shards = shards
        self.latency = latency
        self.caps = caps
        self.loss = loss
        self.options = options
        self.generator = generator
        self.effects = BlockEffects(supernet.space)
        self.uses_effects = options.compares_paths and options.theta_gradient == "effects"
        has_schedule = options.loss == "budget" and options.final_entropy < 1
        self.follows_effects = self.uses_effects and has_schedule
        """Theta is what the effects and the limits say, without a memory of its own."""
        self.optimiser = torch.optim.Adam(
            [supernet.theta_LK], lr=options.theta_lr, weight_decay=options.theta_decay
        )

    def step(self, batch: Batch, tau: float, entropy_limit: float) -> ThetaStepFacts:
        """Take one step of a single shard; see :meth:`step_shards`."""
        return self.step_shards([(batch, self.generator)], tau, entropy_limit)

    @repeatable()
    def step_shards(
        self, own: Sequence[tuple[Batch, torch.Generator]], tau: float, entropy_limit: float
    ) -> ThetaStepFacts:
        """Take one step, the same on all processes.

        Args:
            own: for each shard of this process images and labels of the theta split, and the source of
                chance.
            tau: temperature of the Gumbel softmax.
            entropy_limit: largest mean entropy of theta after the step, as a share of log K.
        """
        theta_LK = self.supernet.theta_LK
        if self.options.compares_paths:
            seen = self._compared(own, tau)
        else:
            seen = self._mean_seen([self._path_gradient(*each, tau) for each in own])
        if self.follows_effects:
            self._follow_effects()
        else:
            theta_LK.grad = seen.ce_gradient_LK + seen.latency_gradient_LK
            self.optimiser.step()
        self.hold(entropy_limit)
        return ThetaStepFacts(
            seen.loss,
            seen.accuracy,
            float(seen.ce_gradient_LK.norm()),
            float(seen.latency_gradient_LK.norm()),
        )

    def hold(self, entropy_limit: float) -> None:
        """Bring theta to its caps and within the entropy limit, a share of log K."""
        theta_LK = self.supernet.theta_LK
        hold(theta_LK, self.caps, entropy_limit * math.log(theta_LK.shape[1]))

    @torch.no_grad()
    def expected_us(self) -> float:
        """Return the mean latency of the networks that softmax(theta) draws."""
        return float(self.latency.expected_us(log_probabilities(self.supernet.theta_LK).exp()))

    def _path_gradient(self, batch: Batch, generator: torch.Generator, tau: float) -> Seen:
        """Differentiate the loss through the factors of the paths, averaged over several draws."""
        theta_LK = self.supernet.theta_LK
        draws: list[Seen] = []
        for _ in range(self.options.num_theta_paths):
            paths = sample_paths(theta_LK, tau, self.options.paths, generator)
            assert paths.weights_LK is not None, "paths of a theta that learns have factors"
            logits_NC = self._logits(batch, paths)
            cross_entropy = F.cross_entropy(logits_NC, batch[1])
            drawn_LK = paths.weights_LK if self.options.latency_of == "drawn" else None
            # The factors of the path lie on the way of both gradients.
            (gradient_LK,) = torch.autograd.grad(
                cross_entropy, theta_LK, materialize_grads=True, retain_graph=drawn_LK is not None
            )
            accuracy = _accuracy(logits_NC, batch[1])
            draws.append(self._seen(float(cross_entropy.detach()), accuracy, gradient_LK, drawn_LK))
        return mean_seen(draws)

    @torch.no_grad()
    def _compared(self, own: Sequence[tuple[Batch, torch.Generator]], tau: float) -> Seen:
        """Run several networks a shard on its images, and judge each by the others.

        The effects learn of all of them whatever theta learns by: networks for other targets and devices
        are decoded from them.
        """
        theta_LK = self.supernet.theta_LK
        num_paths = self.options.num_theta_paths
        runs = []
        for batch, generator in own:
            losses_P, accuracy, draws_PLK = self._run(batch, self._drawn(tau, generator))
            runs.append(flat(accuracy, losses_P, draws_PLK))
        accuracy_S, losses_SP, draws_SPLK = split(
            self.shards.gather(torch.stack(runs)), (), (num_paths,), (num_paths, *theta_LK.shape)
        )
        for draws_PLK, losses_P in zip(draws_SPLK, losses_SP, strict=True):
            self.effects.add(draws_PLK, losses_P)
        losses_SP, draws_SPLK = losses_SP.to(theta_LK.dtype), draws_SPLK.to(theta_LK.dtype)
        if self.uses_effects:
            return self._effect_gradient(losses_SP, float(accuracy_S.mean()))
        probability_LK = log_probabilities(theta_LK).exp()
        return mean_seen(
            [
                self._seen(
                    float(losses_P.mean()),
                    float(accuracy),
                    leave_one_out_gradient(draws_PLK, losses_P, probability_LK),
                )
                for accuracy, losses_P, draws_PLK in zip(accuracy_S, losses_SP, draws_SPLK, strict=True)
            ]
        )

    def _drawn(self, tau: float, generator: torch.Generator) -> list[Paths]:
        """Draw the networks of a shard: from theta, or for effects that theta learns by evenly from all.

        Draws from a theta that leans tell little of what it leans away from (docs/searching.md).
        """
        theta_LK, num_paths = self.supernet.theta_LK.detach(), self.options.num_theta_paths
        if self.uses_effects:
            return balanced_paths(torch.zeros_like(theta_LK), num_paths, generator)
        return [sample_paths(theta_LK, tau, "one", generator) for _ in range(num_paths)]

    def _effect_gradient(self, losses_SP: Tensor, accuracy: float) -> Seen:
        """Estimate E[CE] and its gradient from the effects.

        With layers that choose independently the gradient is ``p (effect - sum of p * effect)`` in each.
        """
        probability_LK = log_probabilities(self.supernet.theta_LK).exp()
        effects_LK = self.effects.effects_LK().to(losses_SP.dtype)  # around 0, the mean of even draws
        means_L1 = (probability_LK * effects_LK).sum(1, keepdim=True)
        cross_entropy = float(losses_SP.flatten().mean() + means_L1.sum())
        return self._seen(cross_entropy, accuracy, probability_LK * (effects_LK - means_L1))

    def _mean_seen(self, own: Sequence[Seen]) -> Seen:
        """Return the mean over all shards, the same on every process."""
        theta_LK = self.supernet.theta_LK
        figures_OF = torch.stack(
            [flat(each.loss, each.accuracy, each.ce_gradient_LK, each.latency_gradient_LK) for each in own]
        )
        parts = split(self.shards.gather(figures_OF), (), (), theta_LK.shape, theta_LK.shape)
        return mean_seen(
            [
                Seen(float(loss), float(accuracy), ce_LK.to(theta_LK.dtype), latency_LK.to(theta_LK.dtype))
                for loss, accuracy, ce_LK, latency_LK in zip(*parts, strict=True)
            ]
        )

    def _run(self, batch: Batch, drawn: Sequence[Paths]) -> tuple[Tensor, float, Tensor]:
        """Return losses ``(P,)``, mean accuracy and one-hot choices ``(P, L, K)`` of single paths."""
        theta_LK = self.supernet.theta_LK
        losses, accuracy = [], 0.0
        for paths in drawn:
            logits_NC = self._logits(batch, paths)
            losses.append(F.cross_entropy(logits_NC, batch[1]))
            accuracy += _accuracy(logits_NC, batch[1]) / len(drawn)
        draws_PLK = torch.stack([_one_hot(paths, theta_LK.shape[1]) for paths in drawn])
        return torch.stack(losses).to(theta_LK.device), accuracy, draws_PLK

    @torch.enable_grad()
    def _seen(
        self, cross_entropy: float, accuracy: float, gradient_LK: Tensor, drawn_LK: Tensor | None = None
    ) -> Seen:
        """Return the loss with its gradients, from cross entropy and its gradient by theta.

        Args:
            cross_entropy: nats.
            accuracy: of the networks that were run.
            gradient_LK: of cross entropy.
            drawn_LK: the factors whose latency is LAT; None: that of softmax(theta).
        """
        theta_LK = self.supernet.theta_LK
        leaf = torch.tensor(cross_entropy, dtype=torch.float64, requires_grad=True)
        factors_LK = log_probabilities(theta_LK).exp() if drawn_LK is None else drawn_LK
        loss = self.loss(leaf, self.latency.expected_us(factors_LK))
        slope, latency_gradient_LK = torch.autograd.grad(loss, (leaf, theta_LK))
        return Seen(
            float(loss.detach()), accuracy, gradient_LK * slope.to(gradient_LK.dtype), latency_gradient_LK
        )

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
