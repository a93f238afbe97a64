"""The losses of theta: how expected latency is traded against cross entropy.

Source: FBNet (arXiv 1812.03443), equation 2. The paper does not name the unit of LAT. It matters inside the
logarithm, so it is a parameter here, microseconds by default.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from search_server.search_options import LatencyUnit, SearchOptions

_UNITS_PER_US: dict[LatencyUnit, float] = {"us": 1.0, "ms": 1e-3}

LatencyLoss = Callable[[Tensor, Tensor], Tensor]
"""From cross entropy and expected latency, microseconds, to a scalar that is differentiable in both."""


@dataclass(frozen=True, slots=True)
class FBNetLoss:
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
class AdditiveLoss:
    """``CE + weight * log(LAT)``: the unit only shifts it."""

    weight: float

    def __call__(self, cross_entropy: Tensor, latency_us: Tensor) -> Tensor:
        return cross_entropy + self.weight * latency_us.log()


def budget_loss(cross_entropy: Tensor, latency_us: Tensor) -> Tensor:
    """Return ``CE``: latency enters through the multipliers of ``projection.py``."""
    # The zero keeps latency in the graph, so that its gradient is 0 and not missing.
    return cross_entropy + 0.0 * latency_us


def latency_loss(options: SearchOptions, min_us: float) -> LatencyLoss:
    """Return the loss that the options name.

    Args:
        options: what was asked.
        min_us: latency of the fastest network of the table.

    Raises:
        ValueError: the logarithm of loss ``fbnet`` is not above 0 for every network.
    """
    if options.loss == "fbnet":
        return FBNetLoss(min_us, options.alpha, options.beta, options.latency_unit)
    return AdditiveLoss(options.latency_weight) if options.loss == "additive" else budget_loss
