"""Warnings of a running search: latency does not bear on the choice as was asked."""

from collections.abc import Sequence

from search_server.nas.budget.caps import ExpectedCost, amount
from search_server.nas.theta.theta_step import ThetaStepFacts
from search_server.search_options import SearchOptions

NEGLIGIBLE = 0.02
"""Gradient of latency relative to that of cross entropy, below which latency hardly moves theta."""
_TOLERANCE = 0.01


def search_warnings(
    options: SearchOptions, costs: Sequence[ExpectedCost], steps: Sequence[ThetaStepFacts]
) -> tuple[str, ...]:
    """Return a sentence for each thing that is not as the configuration asks, with figures.

    Args:
        options: what was asked.
        costs: where theta stands against its limits after the steps.
        steps: the steps of theta of an epoch; none in the warm-up.
    """
    if not steps:
        return ()
    if options.loss == "budget":
        return _missed_limits(costs)
    by_latency = sum(step.latency_gradient for step in steps)
    by_cross_entropy = sum(step.cross_entropy_gradient for step in steps)
    if by_latency >= NEGLIGIBLE * by_cross_entropy:
        return ()
    knob = f"beta (now {options.beta:g})"
    if options.loss == "additive":
        knob = f"latency_weight (now {options.latency_weight:g})"
    return (
        f"latency hardly bears on theta: its gradient is {by_latency / by_cross_entropy:.2%} of that of "
        f"cross entropy (at least {NEGLIGIBLE:.0%} is wanted); raise {knob}, or use loss "
        "'budget' with a target",
    )


def _missed_limits(costs: Sequence[ExpectedCost]) -> tuple[str, ...]:
    """Tell of each limit that is exceeded, and of all limits if none is used in full."""
    shares = [cost.expected / cost.limit for cost in costs]
    exceeded = [cost for cost, share in zip(costs, shares, strict=True) if share > 1 + _TOLERANCE]
    if max(shares) >= 1 - _TOLERANCE and not exceeded:
        return ()
    return tuple(
        f"E[cost] of {cost.name} is {amount(cost.expected, cost.unit)}, the limit "
        f"{amount(cost.limit, cost.unit)}: theta does not hold it"
        for cost in exceeded or costs
    )
