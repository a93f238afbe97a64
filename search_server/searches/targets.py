"""Which measured networks are on target, and what the measurements say of the predictions."""

import statistics
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from search_server.resources.found_networks import FoundArchitecture
from search_server.searches.search_job import SearchJob
from shared.architecture import Architecture

SPAN = 0.03
"""A network is on target from so much below it, relative, up to it."""
MARGIN = SPAN / 3
"""Networks of a front are decoded so far inside that range, at both ends: measured again, a network takes
up to a percent more or less."""
MAX_CORRECTIONS = 2
"""Of a point of a front that is off its target; each costs a lease on its device."""

P = TypeVar("P", bound=Hashable)


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


def brought_to_targets(
    targets_us: Mapping[P, float],
    decode: Callable[[P, float], Architecture],
    predict_us: Callable[[P, Architecture], float],
    measure_us: Callable[[Mapping[P, Architecture]], Mapping[P, float]],
) -> dict[P, Architecture]:
    """Return a network for each point: of those decoded for it, the one measured nearest to its target.

    A point that is off its target is decoded again, up to ``MAX_CORRECTIONS`` times, under a limit that is
    corrected by what its own networks so far measured over predicted: those of small targets may be slower
    than their table says where others are not. Nearest means to the middle of what is on target.

    Args:
        targets_us: by point, such as a target on a device; microseconds.
        decode: the best network of a point under a limit, us, that uses all of it but ``MARGIN``.
        predict_us: what the table of a point says of a network.
        measure_us: measures the networks of some points, all at once; it may be asked for none.
    """

    def distance(point: P, latency_us: float) -> float:
        return abs(latency_us / targets_us[point] - (1 - SPAN / 2))

    limits_us = {point: (1 - MARGIN) * target_us for point, target_us in targets_us.items()}
    networks = {point: decode(point, limit_us) for point, limit_us in limits_us.items()}
    measured_us = dict(measure_us(networks))
    ratios = {point: [measured_us[point] / predict_us(point, each)] for point, each in networks.items()}
    for _ in range(MAX_CORRECTIONS):
        off = [point for point, us in measured_us.items() if not is_on_target([us / targets_us[point]])]
        again = {point: decode(point, limits_us[point] / statistics.fmean(ratios[point])) for point in off}
        for point, latency_us in measure_us(again).items():
            ratios[point].append(latency_us / predict_us(point, again[point]))
            if distance(point, latency_us) < distance(point, measured_us[point]):
                networks[point], measured_us[point] = again[point], latency_us
    return networks
