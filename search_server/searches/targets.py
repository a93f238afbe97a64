"""Which measured networks are on target, and what the measurements say of the predictions. Pure."""

import statistics
from collections.abc import Sequence

from search_server.resources.found_networks import FoundArchitecture
from search_server.searches.search_job import SearchJob

SPAN = 0.03
"""A network is on target from so much below it, relative, up to it."""


def loads(job: SearchJob, network: FoundArchitecture) -> tuple[float, ...]:
    """Return cost / limit for each limit in the search's order: devices or their mean, MACs, parameters.

    Latency is the measured one, or the predicted one where nothing can be measured.
    """
    predicted = [network.predicted_us, *(other.predicted_us for other in network.others)]
    measured = [network.measured_us, *(other.measured_us for other in network.others)]
    known = [p if m is None else m for p, m in zip(predicted, measured, strict=True)]
    shares = [us / target_us for us, target_us in zip(known, job.targets_us, strict=True)]
    if job.request.combine == "weighted":
        weights = [device.weight for device in job.devices]
        shares = [sum(w * share for w, share in zip(weights, shares, strict=True)) / sum(weights)]
    counts = ((network.macs, job.request.max_macs), (network.params, job.request.max_params))
    return (*shares, *(number / limit for number, limit in counts if limit is not None))


def is_on_target(loads_D: Sequence[float]) -> bool:
    """Return whether a network keeps all limits and uses one of them nearly in full."""
    return 1 - SPAN <= max(loads_D) <= 1


def nearness(loads_D: Sequence[float]) -> tuple[int, float]:
    """Return a sort key: on target, then below it from near to far, then above it from near to far."""
    worst = max(loads_D)
    if worst > 1:
        return 2, worst
    return (0, 0.0) if is_on_target(loads_D) else (1, -worst)


def corrections(
    measured_ND: Sequence[Sequence[float]], predicted_ND: Sequence[Sequence[float]]
) -> list[float]:
    """Return, of each limit, the median over networks of measured / predicted."""
    pairs = zip(zip(*measured_ND, strict=True), zip(*predicted_ND, strict=True), strict=True)
    return [
        statistics.median(m / p for m, p in zip(measured_N, predicted_N, strict=True))
        for measured_N, predicted_N in pairs
    ]
