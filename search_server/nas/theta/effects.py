"""Effects: what each candidate in each layer adds to cross entropy, by regression over the networks drawn.

Layers choose independently, so the gradient of the mean loss needs nothing but these effects. The loss of a
network tells of all of its layers at once: every draw informs on every layer. Draws of earlier steps go on
informing, since weights change slowly.

A short search has a few hundred draws, and over a hundred effects smaller than the noise of a draw.
So a candidate is believed to do much the same in all layers, more so in layers that all keep or all change
their shape. Candidates of one kernel, expansion or groups are believed to do somewhat the same, and so are
those of one first kernel, choice of channels, activation or squeeze-and-excite where candidates differ in
it. The draws tell where that is wrong.

Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), section 2.1, for the
posterior mean; Haykin, "Adaptive Filter Theory" (2002), section 9, for forgetting.

Shape letters: P drawn networks, L layers, K candidates, E = L * K effects.
"""

from collections.abc import Hashable, Sequence
from itertools import compress

import torch
from torch import Tensor

from shared.blocks import Skip, candidate_block
from shared.search_space import SearchSpace

HALF_LIFE_DRAWS = 1000
"""After so many further draws, evenly from all of the space, one counts half, since weights have changed.
Draws that differ less tell less, and let as much less be forgotten: a theta that has decided does not
forget what it leans away from."""
EVERYWHERE, ALIKE, TRAIT, OWN = 0.03, 0.005, 0.01, 0.005
"""Prior variance of an effect, as shares of the variance of a draw: what a candidate does in all layers; in
layers that all keep or all change their shape; what each of its kernel, expansion, groups and other traits
does; and what it does in one layer alone."""
_OLD_TRAITS = ("kernel_size", "expansion", "groups")
"""What counts even where all candidates have it in common, as in searches of before."""


class BlockEffects:
    """A running regression of losses on choices."""

    def __init__(self, space: SearchSpace) -> None:
        self.shape = len(space.layers), len(space.candidates)
        self._prior_EE = effects_prior(space)
        self._gram_EE = torch.zeros_like(self._prior_EE)
        self._moment_E = torch.zeros(len(self._prior_EE), dtype=torch.float64)

    def add(self, draws_PLK: Tensor, losses_P: Tensor) -> None:
        """Take in networks that were run on the same images.

        Only differences within the group count: what its images and the weights of the moment add to all
        losses is left out.

        Args:
            draws_PLK: the choices, one-hot.
            losses_P: cross entropies.
        """
        choices_PE = draws_PLK.flatten(1).double()
        choices_PE = choices_PE - choices_PE.mean(0)
        losses_P = losses_P.double() - losses_P.double().mean()
        kept = 0.5 ** (len(losses_P) * self._told(choices_PE) / HALF_LIFE_DRAWS)
        self._gram_EE = kept * self._gram_EE + choices_PE.T @ choices_PE
        self._moment_E = kept * self._moment_E + choices_PE.T @ losses_P

    def _told(self, choices_PE: Tensor) -> float:
        """Return how much centred choices vary, as a share of what even draws do, at most 1."""
        num_layers, num_candidates = self.shape
        even = (len(choices_PE) - 1) * num_layers * (1 - 1 / num_candidates)
        return min(1.0, float(choices_PE.square().sum()) / even)

    def effects_LK(self) -> Tensor:
        """Return the estimates, nats, around 0 in each layer."""
        identity_EE = torch.eye(len(self._moment_E), dtype=torch.float64)
        weighed_EE = identity_EE + self._gram_EE @ self._prior_EE
        effects_LK: Tensor = self._prior_EE @ torch.linalg.solve(weighed_EE, self._moment_E)
        effects_LK = effects_LK.view(self.shape)
        return effects_LK - effects_LK.mean(1, keepdim=True)

    def state_dict(self) -> dict[str, Tensor]:
        """Return what the next estimate depends on."""
        return {"gram": self._gram_EE, "moment": self._moment_E}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from a state."""
        self._gram_EE, self._moment_E = state["gram"], state["moment"]


def effects_prior(space: SearchSpace) -> Tensor:
    """Return the covariance ``(E, E)`` of the effects before any draw, as shares of a draw's variance.

    The skip of a layer that changes its shape is a convolution, and has nothing in common with an identity.
    """
    keeps_EE = _same([layer.keeps_shape for layer in space.layers for _ in space.candidates])
    blocks = [candidate_block(name) for name in space.candidates] * len(space.layers)
    is_skip_E = torch.tensor([isinstance(block, Skip) for block in blocks])
    is_same_EE = _same(blocks) & (keeps_EE | ~is_skip_E)
    prior_EE = EVERYWHERE * is_same_EE.double() + ALIKE * (is_same_EE & keeps_EE)
    for trait in ("kernel_size", "expansion", "groups", "first_kernel_size", "traits", "choice"):
        values = [getattr(block, trait, None) for block in blocks]
        if trait in _OLD_TRAITS or len({*compress(values, ~is_skip_E)}) > 1:
            prior_EE += TRAIT * (_same(values) & ~is_skip_E)
    return prior_EE + OWN * torch.eye(len(blocks))


def _same(values: Sequence[Hashable]) -> Tensor:
    """Return which pairs of values are equal, ``(E, E)``."""
    places = {value: place for place, value in enumerate(dict.fromkeys(values))}
    places_E = torch.tensor([places[value] for value in values])
    return places_E[:, None] == places_E
