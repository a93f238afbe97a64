"""What each candidate in each layer adds to cross entropy: least squares over the networks drawn so far.

The gradient of a mean over networks whose layers choose independently depends on the choices of one layer
only through such conditional means. A network's loss says something of all of its layers at once, so every
draw informs on every layer, and draws of earlier steps go on informing while the weights change slowly.

Source: Hoerl and Kennard, "Ridge Regression" (1970); forgetting as in recursive least squares, Haykin,
"Adaptive Filter Theory" (2002), section 9.

Shape letters: P drawn networks, L layers, K candidates.
"""

import torch
from torch import Tensor

HALF_LIFE_DRAWS = 3000
"""After so many further draws one counts half."""
SHRINKAGE = 4.0
"""Draws' worth of belief that a candidate is like the others of its layer."""


class BlockEffects:
    """A running least-squares fit of losses on choices."""

    def __init__(self, num_layers: int, num_candidates: int) -> None:
        self.shape = num_layers, num_candidates
        size = num_layers * num_candidates
        self._gram = torch.zeros(size, size, dtype=torch.float64)
        self._moment = torch.zeros(size, dtype=torch.float64)

    def add(self, draws_PLK: Tensor, losses_P: Tensor) -> None:
        """Take in networks that were run on the same images.

        Only differences within the group count: what its images and the weights of the moment add to all
        losses is left out.

        Args:
            draws_PLK: the choices, one-hot.
            losses_P: cross entropies.
        """
        choices = draws_PLK.flatten(1).double()
        choices = choices - choices.mean(0)
        losses = losses_P.double() - losses_P.double().mean()
        kept = 0.5 ** (len(losses) / HALF_LIFE_DRAWS)
        self._gram = kept * self._gram + choices.T @ choices
        self._moment = kept * self._moment + choices.T @ losses

    def effects_LK(self) -> Tensor:
        """Return the estimates, nats, around 0 in each layer."""
        ridge = SHRINKAGE * torch.eye(len(self._moment), dtype=torch.float64)
        effects_LK: Tensor = torch.linalg.solve(self._gram + ridge, self._moment).view(self.shape)
        return effects_LK - effects_LK.mean(1, keepdim=True)

    def state_dict(self) -> dict[str, Tensor]:
        """Return what the next estimate depends on."""
        return {"gram": self._gram, "moment": self._moment}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from a state."""
        self._gram, self._moment = state["gram"], state["moment"]
