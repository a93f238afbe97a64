"""Caps: what a network may cost at most, of latency on a device, of MACs, of parameters.

All caps have one form: a sum over layers of what the chosen candidate costs. So one projection and one
knapsack serve all of them. A table may know more of a single network than this sum, since blocks cost each
other something: theta is held by the sum, and a network that is listed by its whole prediction.

Shape letters: L layers, K candidates.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from search_server.nas.budget.latency_model import LatencyModel
from search_server.search_options import CostUnit
from shared.architecture import Architecture
from shared.search_space import SearchSpace

Matrix = NDArray[np.float64]

_ROUNDING = 1e-9
"""Relative: sums in another order differ by so much."""


@dataclass(frozen=True, slots=True, eq=False)
class Cap:
    """A limit on ``fixed + sum over layers of cost_LK[l, chosen]``."""

    name: str
    """What is limited: a device, ``MACs``, ``parameters``."""
    unit: CostUnit
    fixed: float
    """Cost of stem and head."""
    cost_LK: Matrix
    limit: float
    predict: Callable[[Architecture], float] | None = None
    """What one network costs, where that is more or less than the sum."""

    @property
    def least(self) -> float:
        """Cost of the cheapest network."""
        return self.fixed + float(self.cost_LK.min(1).sum())

    @property
    def most(self) -> float:
        """Cost of the dearest network."""
        return self.fixed + float(self.cost_LK.max(1).sum())

    @property
    def spread(self) -> float:
        """Range of the widest layer; 1 where no choice makes a difference."""
        return float(np.ptp(self.cost_LK, axis=1).max()) or 1.0

    def cost(self, architecture: Architecture) -> float:
        """Return what a network costs: as predicted whole where that is known, else the sum."""
        if self.predict is not None:
            return self.predict(architecture)
        layers_L = np.arange(len(self.cost_LK))
        return self.fixed + float(self.cost_LK[layers_L, architecture.indices].sum())

    def expected(self, probability_LK: Matrix) -> float:
        """Return the mean sum of the networks that a distribution draws."""
        return self.fixed + float((probability_LK * self.cost_LK).sum())

    def with_limit(self, limit: float) -> "Cap":
        """Return the same cost under another limit."""
        return replace(self, limit=limit)

    def require_reachable(self) -> None:
        """Check that some network costs no more than the limit, and, of latency, some no less.

        A limit on MACs or parameters above the largest network is harmless. A target latency there is
        not: no network takes that long, and who asks for it has another table in mind.

        Raises:
            ValueError: the limit is out of that range; the message gives it.
        """
        is_target = self.unit in ("us", "of the targets")
        if self.least <= self.limit * (1 + _ROUNDING) and (
            not is_target or self.limit <= self.most * (1 + _ROUNDING)
        ):
            return
        side = "below the least" if self.limit < self.least else "above the most"
        word = "target" if is_target else "limit"
        raise ValueError(
            f"{word} {amount(self.limit, self.unit)} of {self.name} is out of reach, {side}: the networks "
            f"of the space take {amount(self.least, self.unit)} to {amount(self.most, self.unit)}; choose "
            f"a {word} between"
        )


@dataclass(frozen=True, slots=True)
class ExpectedCost:
    """The mean cost of the networks that theta draws, against its limit."""

    name: str
    unit: CostUnit
    expected: float
    limit: float


def expected_costs(caps: Sequence[Cap], probability_LK: Matrix) -> tuple[ExpectedCost, ...]:
    """Return where a distribution stands against each cap."""
    return tuple(ExpectedCost(cap.name, cap.unit, cap.expected(probability_LK), cap.limit) for cap in caps)


def share_used(caps: Sequence[Cap], architecture: Architecture) -> float:
    """Return the largest cost / limit of a network: at most 1 if it keeps all limits."""
    return max(cap.cost(architecture) / cap.limit for cap in caps)


def is_within(caps: Sequence[Cap], architecture: Architecture, least_share: float = 0.0) -> bool:
    """Return whether a network keeps every limit and uses at least ``least_share`` of one."""
    return not caps or least_share - _ROUNDING <= share_used(caps, architecture) <= 1 + _ROUNDING


def latency_cap(name: str, latency: LatencyModel, target_us: float) -> Cap:
    """Return the cap of a latency table.

    A candidate without latency costs so much that no network with it keeps a limit a fifth wider.
    """
    known_LK = latency.latency_us_LK.numpy()
    is_missing_LK = latency.is_missing_LK
    if not is_missing_LK.any():
        return Cap(name, "us", latency.fixed_us, known_LK, target_us, latency.predict_us)
    least_L1 = known_LK.min(1, keepdims=True)
    too_much_L1 = least_L1 + max(0.0, 1.2 * target_us - latency.min_us) + target_us
    cost_LK = np.where(is_missing_LK, too_much_L1, known_LK)
    layers_L = np.arange(len(cost_LK))

    def predict(architecture: Architecture) -> float:
        if is_missing_LK[layers_L, architecture.indices].any():
            return float("inf")
        if latency.predict_us is not None:
            return latency.predict_us(architecture)
        return latency.fixed_us + float(known_LK[layers_L, architecture.indices].sum())

    return Cap(name, "us", latency.fixed_us, cost_LK, target_us, predict)


def macs_cap(space: SearchSpace, limit: float) -> Cap:
    """Return the cap on the multiply-accumulates of a network, for one image."""
    cost_LK = [
        [float(placed.segment.macs(placed.input_shape)) for placed in row]
        for row in space.candidate_segments()
    ]
    body = Architecture(space, (space.candidates[0],) * space.num_layers)
    fixed = body.workload().macs - sum(row[0] for row in cost_LK)
    return Cap("MACs", "MACs", fixed, np.array(cost_LK), limit)


def params_cap(space: SearchSpace, limit: float) -> Cap:
    """Return the cap on the parameters of a network, batch norms included."""
    cost_LK = [[float(placed.segment.num_params) for placed in row] for row in space.candidate_segments()]
    fixed = float(space.stem().num_params + space.head().num_params)
    return Cap("parameters", "parameters", fixed, np.array(cost_LK), limit)


def weighted_cap(caps: Sequence[Cap], weights: Sequence[float]) -> Cap:
    """Return one cap on the weighted mean of cost / limit: one device may be late if another is early."""
    shares = [weight / sum(weights) / cap.limit for cap, weight in zip(caps, weights, strict=True)]

    def predict(architecture: Architecture) -> float:
        return sum(share * cap.cost(architecture) for share, cap in zip(shares, caps, strict=True))

    return Cap(
        f"weighted mean of {', '.join(cap.name for cap in caps)}",
        "of the targets",
        sum(share * cap.fixed for share, cap in zip(shares, caps, strict=True)),
        np.sum([share * cap.cost_LK for share, cap in zip(shares, caps, strict=True)], axis=0),
        1.0,
        predict,
    )


def amount(value: float, unit: CostUnit) -> str:
    """Return a cost in words: latency in ms, counts in millions."""
    if unit == "us":
        return f"{value / 1e3:.4g} ms"
    return f"{value:.4g} {unit}" if unit == "of the targets" else f"{value / 1e6:.4g} M {unit}"
