"""What a user of a search should know while it runs: where latency does not bear on the choice as asked."""

from collections.abc import Sequence

from search_server.nas.config import SearchConfig
from search_server.nas.latency_loss import LatencyModel
from search_server.nas.theta_step import ThetaStepFacts

NEGLIGIBLE = 0.02
"""Gradient of latency relative to that of cross entropy, below which latency hardly moves theta."""
_TOLERANCE = 0.01


def search_warnings(
    config: SearchConfig, latency: LatencyModel, expected_us: float, steps: Sequence[ThetaStepFacts]
) -> tuple[str, ...]:
    """Return a sentence for each thing that is not as the configuration asks, with figures.

    Args:
        config: what was asked.
        latency: of the table.
        expected_us: E[LAT] after the steps.
        steps: the steps of theta of an epoch; none in the warm-up.
    """
    if not steps:
        return ()
    if config.loss == "budget":
        return _missed_target(config, latency, expected_us)
    by_latency = sum(step.latency_gradient for step in steps)
    by_cross_entropy = sum(step.cross_entropy_gradient for step in steps)
    if by_latency >= NEGLIGIBLE * by_cross_entropy:
        return ()
    knob = f"beta (now {config.beta:g})"
    if config.loss == "additive":
        knob = f"latency_weight (now {config.latency_weight:g})"
    return (
        f"latency hardly bears on theta: its gradient is {by_latency / by_cross_entropy:.2%} of that of "
        f"cross entropy (at least {NEGLIGIBLE:.0%} is wanted); raise {knob}, or use loss "
        "'budget' with a target",
    )


def _missed_target(config: SearchConfig, latency: LatencyModel, expected_us: float) -> tuple[str, ...]:
    assert config.target_us is not None, "checked by SearchConfig"
    if abs(expected_us / config.target_us - 1) <= _TOLERANCE:
        return ()
    return (
        f"E[LAT] is {expected_us / 1e3:.4g} ms, the target {config.target_us / 1e3:.4g} ms: by this "
        f"table networks take {latency.min_us / 1e3:.4g} to {latency.max_us / 1e3:.4g} ms; choose a target "
        "between these",
    )
