"""Expected latency, and the losses that trade it against accuracy.

Source: FBNet (arXiv 1812.03443), equations 2, 4 and 8. The paper does not name the unit of LAT. It matters
inside the logarithm, so it is a parameter here, microseconds by default.

Shape letters: L layers, K candidates.
"""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from search_server.search_options import LatencyUnit
from shared.architecture import Architecture

_UNITS_PER_US: dict[LatencyUnit, float] = {"us": 1.0, "ms": 1e-3}


class LatencySource(Protocol):
    """What the search needs of a latency table."""

    @property
    def fixed_us(self) -> float:
        """The latency of stem and head."""

    def latency_us_LK(self) -> list[list[float]]:
        """The latency of each candidate in each layer."""


@runtime_checkable
class PredictingLatencySource(LatencySource, Protocol):
    """A latency table that knows more of a network than the sum over its layers."""

    def predict_us(self, architecture: Architecture) -> float:
        """Return the latency of a network, with what its blocks cost each other."""


class LatencyModel:
    """Expected latency of a distribution over networks, from the constants of a table."""

    def __init__(self, table: LatencySource, num_layers: int, num_candidates: int) -> None:
        """Take the figures out of a table.

        Raises:
            ValueError: the table has another shape than the space, or holds a value that is no latency.
        """
        rows = table.latency_us_LK()
        shape = (len(rows), *sorted({len(row) for row in rows}))
        if shape != (num_layers, num_candidates):
            raise ValueError(
                f"the latency table has {shape[0]} layers x {' or '.join(map(str, shape[1:]))} candidates, "
                f"the space {num_layers} x {num_candidates}; profile this space on the device"
            )
        self.latency_us_LK = torch.tensor(rows, dtype=torch.float64)
        self.fixed_us = float(table.fixed_us)
        self.predict_us = table.predict_us if isinstance(table, PredictingLatencySource) else None
        """The latency of one network; None: the sum over its layers is all that the table knows."""
        if not (torch.isfinite(self.latency_us_LK).all() and math.isfinite(self.fixed_us)):
            raise ValueError("the latency table holds values that are not finite; measure those cells")
        self.min_us = self.fixed_us + float(self.latency_us_LK.min(1).values.sum())
        if self.min_us <= 0:
            raise ValueError(f"the fastest network of the latency table takes {self.min_us:.1f} us")

    def expected_us(self, weights_LK: Tensor) -> Tensor:
        """Return ``fixed + sum m_LK * latency_LK``, differentiable, for factors whose rows sum to 1."""
        return self.fixed_us + (weights_LK.double() * self.latency_us_LK).sum()


def table_hash(latencies: Iterable[LatencyModel]) -> str:
    """Return 16 hex digits that change with any latency that a search uses."""
    text = json.dumps([[latency.fixed_us, latency.latency_us_LK.tolist()] for latency in latencies])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class LatencyLoss(ABC):
    """Combines cross entropy and expected latency into what theta minimises."""

    @abstractmethod
    def __call__(self, cross_entropy: Tensor, latency_us: Tensor) -> Tensor:
        """Return the loss, a scalar, differentiable in both."""


@dataclass(frozen=True, slots=True)
class FBNetLoss(LatencyLoss):
    """``CE * alpha * log(LAT)^beta``: the paper's loss. It holds no budget, and alpha trades nothing."""

    min_us: float
    alpha: float = 0.2
    beta: float = 0.6
    unit: LatencyUnit = "us"

    def __post_init__(self) -> None:
        smallest = self.min_us * _UNITS_PER_US[self.unit]
        if smallest <= 1:
            raise ValueError(
                f"log(LAT) must be above 0 for every network, but the fastest of this table takes "
                f"{smallest:.4g} {self.unit}, and log({smallest:.4g}) <= 0; use unit 'us', or loss 'budget'"
            )

    def __call__(self, cross_entropy: Tensor, latency_us: Tensor) -> Tensor:
        log_latency = (latency_us * _UNITS_PER_US[self.unit]).log()
        return cross_entropy * self.alpha * log_latency**self.beta


@dataclass(frozen=True, slots=True)
class AdditiveLoss(LatencyLoss):
    """``CE + weight * log(LAT)``: the unit only shifts it."""

    weight: float

    def __call__(self, cross_entropy: Tensor, latency_us: Tensor) -> Tensor:
        return cross_entropy + self.weight * latency_us.log()


@dataclass(frozen=True, slots=True)
class BudgetLoss(LatencyLoss):
    """``CE``, subject to the caps: latency enters through the multipliers of ``projection.py``."""

    def __call__(self, cross_entropy: Tensor, latency_us: Tensor) -> Tensor:
        return cross_entropy + 0.0 * latency_us
