"""The score-function gradient is that of the mean loss, counted over every pair of paths."""

import itertools
import math

import torch
from torch.nn import functional as F

from search_server.nas.theta.score import leave_one_out_gradient

NUM_LAYERS, NUM_CANDIDATES = 2, 3
GENERATOR = torch.Generator().manual_seed(0)
THETA_LK = torch.randn(NUM_LAYERS, NUM_CANDIDATES, generator=GENERATOR, dtype=torch.float64)
PATHS = list(itertools.product(range(NUM_CANDIDATES), repeat=NUM_LAYERS))
LOSSES = 5 + torch.randn(len(PATHS), generator=GENERATOR, dtype=torch.float64)
"""Of each network, not a sum over layers."""


def probability(path: tuple[int, ...], p_LK: torch.Tensor) -> torch.Tensor:
    return torch.stack([p_LK[layer, choice] for layer, choice in enumerate(path)]).prod()


def test_its_mean_over_all_pairs_of_draws_is_the_gradient_of_the_mean_loss() -> None:
    theta_LK = THETA_LK.clone().requires_grad_()
    p_LK = theta_LK.softmax(1)
    mean_loss = sum(probability(path, p_LK) * loss for path, loss in zip(PATHS, LOSSES, strict=True))
    (exact_LK,) = torch.autograd.grad(mean_loss, theta_LK)
    p_LK = p_LK.detach()
    mean_LK = torch.zeros_like(exact_LK)
    for pair in itertools.product(range(len(PATHS)), repeat=2):
        draws_PLK = torch.stack([F.one_hot(torch.tensor(PATHS[i]), NUM_CANDIDATES) for i in pair]).double()
        chance = math.prod(float(probability(PATHS[i], p_LK)) for i in pair)
        mean_LK += chance * leave_one_out_gradient(draws_PLK, LOSSES[list(pair)], p_LK)
    torch.testing.assert_close(mean_LK, exact_LK)


def test_what_all_losses_share_does_not_matter() -> None:
    draws_PLK = torch.stack([F.one_hot(torch.tensor(path), NUM_CANDIDATES) for path in PATHS]).double()
    p_LK = THETA_LK.softmax(1)
    low, high = (leave_one_out_gradient(draws_PLK, LOSSES + level, p_LK) for level in (0.0, 1000.0))
    torch.testing.assert_close(low, high)
