"""A table made slower by its own uncertainty: search for networks that are fast enough with a margin.

An entry becomes ``(entry + k * its standard error) * (1 + k * relative error of a whole network)``. The
errors of entries are added as if all fell on the same side: more than the square root of their squares,
and a sum over layers still, so that everything that works on a table works on this one.

Shape letters: L layers, K candidates.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from search_server.nas.budget.latency_loss import LatencySource, PredictingLatencySource
from shared.architecture import Architecture


@runtime_checkable
class UncertainLatencySource(PredictingLatencySource, Protocol):
    """A latency table that knows its errors."""

    @property
    def network_sigma(self) -> float:
        """Relative error of a whole network, beyond that of its entries."""

    @property
    def fixed_sigma_us(self) -> float:
        """Standard error of ``fixed_us``."""

    def sigma_us_LK(self) -> list[list[float]]:
        """The standard error of each entry."""


@dataclass(frozen=True, slots=True)
class CautiousTable:
    """A table with ``num_sigmas`` of its errors on top."""

    table: UncertainLatencySource
    num_sigmas: float

    @property
    def fixed_us(self) -> float:
        return self._raised_us(self.table.fixed_us, self.table.fixed_sigma_us)

    def latency_us_LK(self) -> list[list[float]]:
        rows = zip(self.table.latency_us_LK(), self.table.sigma_us_LK(), strict=True)
        return [
            [self._raised_us(us, sigma_us) for us, sigma_us in zip(row_us, row_sigma_us, strict=True)]
            for row_us, row_sigma_us in rows
        ]

    def predict_us(self, architecture: Architecture) -> float:
        pairs = zip(self.table.sigma_us_LK(), architecture.indices, strict=True)
        sigma_us = self.table.fixed_sigma_us + sum(row[index] for row, index in pairs)
        return self._raised_us(self.table.predict_us(architecture), sigma_us)

    def _raised_us(self, latency_us: float, sigma_us: float) -> float:
        return (latency_us + self.num_sigmas * sigma_us) * (1 + self.num_sigmas * self.table.network_sigma)


def cautious_table(table: LatencySource, num_sigmas: float) -> LatencySource:
    """Return a table with ``num_sigmas`` of its errors on top; with 0, the table itself.

    Raises:
        ValueError: the table does not know its errors.
    """
    if num_sigmas == 0:
        return table
    if not isinstance(table, UncertainLatencySource):
        raise ValueError(
            f"latency_sigmas is {num_sigmas:g}, but this table tells no errors (sigma_us_LK); "
            "profile the device, or set latency_sigmas to 0"
        )
    return CautiousTable(table, num_sigmas)
