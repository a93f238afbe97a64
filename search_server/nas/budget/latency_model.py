"""Expected latency of what theta draws, from the constants of a latency table.

Source: FBNet (arXiv 1812.03443), equations 4 and 8.

Shape letters: L layers, K candidates.
"""

import hashlib
import json
import math
from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from shared.architecture import Architecture


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
        table_LK = torch.tensor(rows, dtype=torch.float64)
        is_missing_LK = table_LK == math.inf
        self.is_missing_LK = is_missing_LK.numpy()
        """Which candidates the table has no latency for; no network of the search has them."""
        dearest_L1 = table_LK.masked_fill(is_missing_LK, -math.inf).amax(1, keepdim=True)
        self.latency_us_LK = torch.where(is_missing_LK, dearest_L1, table_LK)
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
