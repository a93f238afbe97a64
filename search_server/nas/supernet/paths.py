"""Paths: the candidates that a forward pass runs, and their factors, drawn from theta by Gumbel softmax.

``soft`` runs all candidates, weighted (the paper). ``one`` runs the most likely one of a Gumbel draw with
factor 1; the gradient goes through the soft factors (straight-through). ``two`` runs the two most likely,
weighted against each other, as in ProxylessNAS.

Log-probabilities are clamped and the temperature has a floor, so that no theta gives NaN.

Source: FBNet (arXiv 1812.03443), equations 6 and 7; Jang et al., "Categorical Reparameterization with
Gumbel-Softmax" (arXiv 1611.01144); ProxylessNAS (arXiv 1812.00332), section 3.2.

Shape letters: L layers, K candidates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from search_server.search_options import TAU_FLOOR, PathsName

_THETA_LIMIT = 1e4
_SMALLEST = torch.finfo(torch.float32).tiny


@dataclass(frozen=True, slots=True)
class Paths:
    """The candidates that run in each layer, and the factors of all of them."""

    candidates_L: tuple[tuple[int, ...], ...]
    weights_LK: Tensor | None
    """None: one candidate a layer with factor 1, and nothing for theta to learn from."""


def log_probabilities(theta_LK: Tensor) -> Tensor:
    """Return the log of softmax(theta) over candidates; finite for every theta that is not NaN."""
    return F.log_softmax(theta_LK.clamp(-_THETA_LIMIT, _THETA_LIMIT), dim=1)


def entropy_L(theta_LK: Tensor) -> Tensor:
    """Return the entropy of each layer's softmax(theta), nats: 0 (decided) to log K (uniform)."""
    log_p_LK = log_probabilities(theta_LK)
    return -(log_p_LK.exp() * log_p_LK).sum(1)


def gumbel_logits(theta_LK: Tensor, generator: torch.Generator) -> Tensor:
    """Return log-probabilities with Gumbel noise: their argmax is a draw from softmax(theta)."""
    exponential_LK = torch.empty_like(theta_LK).exponential_(generator=generator)
    return log_probabilities(theta_LK) - exponential_LK.clamp_min(_SMALLEST).log()


def sample_paths(theta_LK: Tensor, tau: float, paths: PathsName, generator: torch.Generator) -> Paths:
    """Return a draw of paths through the supernet; factors carry a gradient if theta does.

    Raises:
        ValueError: ``paths`` is none of soft, one, two.
    """
    num_layers, num_candidates = theta_LK.shape
    logits_LK = gumbel_logits(theta_LK, generator)
    scaled_LK = logits_LK / max(tau, TAU_FLOOR)
    if paths == "soft":
        everything = tuple(range(num_candidates))
        return Paths((everything,) * num_layers, F.softmax(scaled_LK, dim=1))
    if paths == "one":
        chosen_L = logits_LK.argmax(1)
        candidates_L = tuple((int(k),) for k in chosen_L)
        if not theta_LK.requires_grad:
            return Paths(candidates_L, None)
        soft_LK = F.softmax(scaled_LK, dim=1)
        hard_LK = F.one_hot(chosen_L, num_candidates).to(soft_LK.dtype)
        return Paths(candidates_L, hard_LK + (soft_LK - soft_LK.detach()))
    if paths == "two":
        best_L2 = logits_LK.topk(min(2, num_candidates), dim=1).indices
        others_LK = torch.ones_like(scaled_LK, dtype=torch.bool).scatter(1, best_L2, False)
        weights_LK = F.softmax(scaled_LK.masked_fill(others_LK, -torch.inf), dim=1)
        return Paths(tuple(tuple(sorted(pair)) for pair in best_L2.tolist()), weights_LK)
    raise ValueError(f"paths must be one of {', '.join(get_args(PathsName))}, got {paths!r}")


def balanced_paths(theta_LK: Tensor, number: int, generator: torch.Generator) -> list[Paths]:
    """Return single paths that together name each candidate about as often as softmax(theta) says.

    Each alone is a draw from softmax(theta). Together they are stratified: a candidate of probability p
    stands in ``number * p`` of them, rounded up or down.

    Source: Cochran, "Sampling Techniques" (1977), chapter 8, on systematic sampling.
    """
    ends_LK = log_probabilities(theta_LK.detach()).double().exp().cumsum(1)
    places = torch.arange(number, dtype=torch.float64)
    chosen_LP = []
    for ends_K in ends_LK:
        offset = torch.rand(1, generator=generator, dtype=torch.float64)
        shuffled = torch.randperm(number, generator=generator)
        points_P = ((places + offset) / number)[shuffled] * ends_K[-1]
        chosen_P = torch.searchsorted(ends_K, points_P, right=True)
        chosen_LP.append(chosen_P.clamp_max(len(ends_K) - 1).tolist())
    return [single_path(choices_L) for choices_L in zip(*chosen_LP, strict=True)]


def favour(
    paths: Paths, favoured_L: Sequence[int | None], share: float, generator: torch.Generator
) -> Paths:
    """Return single paths in which a layer's favoured candidate has taken the place of another by chance.

    Args:
        paths: one candidate a layer.
        favoured_L: the index of a candidate for each layer, or None.
        share: how probable it is that it takes the place, 0..1.
        generator: the source of chance; not asked where nothing is favoured.
    """
    if all(index is None for index in favoured_L):
        return paths
    is_taken_L = torch.rand(len(favoured_L), generator=generator) < share
    places = zip(paths.candidates_L, favoured_L, is_taken_L.tolist(), strict=True)
    return Paths(tuple(own if k is None or not is_taken else (k,) for own, k, is_taken in places), None)


def single_path(indices_L: Sequence[int]) -> Paths:
    """Return the path of one network: the given candidate in each layer, factor 1."""
    return Paths(tuple((index,) for index in indices_L), None)
