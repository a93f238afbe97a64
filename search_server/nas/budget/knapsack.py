"""The most probable networks that keep every cap: a multiple-choice knapsack over the layers in order.

A partial network is dropped where it cannot be completed within a cap, where it cannot reach the least
share of a limit any more, or where one that costs the same, to a bin's width, is more probable. With one
cap that leaves at most ``_NUM_BINS`` partial networks a layer. With several there can be more; beyond
``_MAX_PARTIAL`` those of the best Lagrangian bound go on.

Source: Kellerer, Pferschy, Pisinger, "Knapsack Problems" (2004), sections 3.4 (states) and 11.2 (bounds of
the multiple-choice problem).

Shape letters: L layers, K candidates, D caps, S partial networks (states).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_server.nas.budget.caps import Cap, Matrix
from search_server.nas.budget.projection import multipliers

_NUM_BINS = 4000
_MAX_PARTIAL = 20_000
_SHARPNESS = 50.0
"""The multipliers of the linear problem are those of theta made so much more decided."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class _States:
    """Partial networks up to a layer."""

    log_p_S: Matrix
    share_SD: Matrix
    """Of each cap: cost so far / limit."""
    parent_S: NDArray[np.int64]
    choice_S: NDArray[np.int64]

    def take(self, index_S: NDArray[np.int64]) -> "_States":
        return _States(
            self.log_p_S[index_S], self.share_SD[index_S], self.parent_S[index_S], self.choice_S[index_S]
        )


def most_probable_within(
    log_p_LK: Matrix, caps: Sequence[Cap], least_share: float = 0.0
) -> list[int] | None:
    """Return the first of :func:`networks_within`; None without any."""
    return next(networks_within(log_p_LK, caps, least_share), None)


def networks_within(log_p_LK: Matrix, caps: Sequence[Cap], least_share: float = 0.0) -> Iterator[list[int]]:
    """Yield indices of networks whose sums keep all caps, the one of largest ``sum log p`` first.

    Of those that cost the same, to a bin's width, only the most probable is among them.

    Args:
        log_p_LK: log-probability of each candidate.
        caps: limits, at least one; never exceeded.
        least_share: smallest share of some limit that a network has to use, 0..1.
    """
    layers = _packed(log_p_LK, caps, least_share)
    for place in np.argsort(-layers[-1].log_p_S, kind="stable"):
        at, indices = int(place), []
        for states in reversed(layers):
            indices.append(int(states.choice_S[at]))
            at = int(states.parent_S[at])
        yield indices[::-1]


def _packed(log_p_LK: Matrix, caps: Sequence[Cap], least_share: float) -> list[_States]:
    """Return the partial networks that go on, layer by layer; in the last layer they are whole."""
    limits_D = np.array([cap.limit for cap in caps])
    share_DLK = np.stack([cap.cost_LK for cap in caps]) / limits_D[:, None, None]
    fixed_D = np.array([cap.fixed for cap in caps]) / limits_D
    price_D = _prices(log_p_LK, caps)
    layers: list[_States] = []
    states = _States(np.zeros(1), fixed_D[None], np.zeros(1, np.int64), np.zeros(1, np.int64))
    for layer in range(len(log_p_LK)):
        states = _extend(states, log_p_LK[layer], share_DLK[:, layer])
        rest_DLK = share_DLK[:, layer + 1 :]
        highest_SD = states.share_SD + rest_DLK.max(2).sum(1)
        lowest_SD = states.share_SD + rest_DLK.min(2).sum(1)
        is_open_S = (lowest_SD <= 1 + _ROUNDING).all(1) & (highest_SD >= least_share - _ROUNDING).any(1)
        states = _merge(states.take(np.flatnonzero(is_open_S)))
        if len(states.log_p_S) > _MAX_PARTIAL:
            bound_S = states.log_p_S - states.share_SD @ price_D
            states = states.take(np.argpartition(-bound_S, _MAX_PARTIAL)[:_MAX_PARTIAL])
        layers.append(states)
    return layers


def _extend(states: _States, log_p_K: Matrix, share_DK: Matrix) -> _States:
    num_states, num_candidates = len(states.log_p_S), len(log_p_K)
    return _States(
        (states.log_p_S[:, None] + log_p_K).ravel(),
        (states.share_SD[:, None] + share_DK.T).reshape(-1, len(share_DK)),
        np.repeat(np.arange(num_states), num_candidates),
        np.tile(np.arange(num_candidates), num_states),
    )


def _merge(states: _States) -> _States:
    """Keep the most probable of the states that fall into one bin of every cap."""
    order_S = np.argsort(-states.log_p_S, kind="stable")
    bins_S = np.zeros(len(order_S), np.int64)
    for share_S in states.share_SD[order_S].T:
        bins_S = bins_S * (_NUM_BINS + 1) + np.floor(share_S * _NUM_BINS).astype(np.int64)
    _, first = np.unique(bins_S, return_index=True)
    return states.take(order_S[first])


def _prices(log_p_LK: Matrix, caps: Sequence[Cap]) -> Matrix:
    """Return what a whole limit of each cap is worth in log-probability; any such prices give a bound."""
    limit_in_spreads_D = np.array([cap.limit / cap.spread for cap in caps])
    price_D: Matrix = multipliers(_SHARPNESS * log_p_LK, caps) / _SHARPNESS * limit_in_spreads_D
    return price_D
