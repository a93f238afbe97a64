"""Plain runs of whole networks -> latencies in units of the anchor, with errors.

The anchor takes a turn right before each other network. A run is divided by the median of the anchor's
runs in the four turns nearest to it, two on either side: one neighbour alone carries noise of its own, and
more of them are too far away on a device that changes its speed.

A network is also a little faster or slower in one process than in the next, however long it runs there:
its models lie elsewhere in memory. Networks of several leases tell by how much, and that is part of every
error.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from search_server.latency.normal import MEDIAN_ERROR, SIGMA_OVER_MAD, Z_90
from shared.protocol.measurement import Result, RunSamples

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RelativeLatency:
    """A whole network against the anchor runs around it."""

    ratio: float
    low: float
    high: float
    """A 90 % interval of ``ratio``."""
    raw_us: float
    """Median wall time as it was."""
    num_samples: int
    lease_ratios: tuple[float, ...]
    """The median of each lease by itself."""

    @property
    def relative_error(self) -> float:
        """Standard error of ``ratio``, as a share of it."""
        return (self.high - self.low) / (2 * Z_90 * self.ratio)


def relative_latencies(results: Sequence[Result], anchor_id: str) -> dict[str, RelativeLatency]:
    """Return the latency of each whole network in units of the anchor.

    Args:
        results: any number of leases' results; only status ``ok`` counts.
        anchor_id: the item that ran before every other item in each of these leases.
    """
    anchors = {r.lease_id: r.runs for r in results if r.item_id == anchor_id and r.status == "ok"}
    ratios: dict[str, dict[str, Array]] = defaultdict(dict)
    walls: dict[str, list[float]] = defaultdict(list)
    for result in results:
        if result.status == "ok" and result.item_id != anchor_id and result.lease_id in anchors:
            of_runs = ratios_to_anchor(result.runs, anchors[result.lease_id])
            if len(of_runs):
                ratios[result.item_id][result.lease_id] = of_runs
                walls[result.item_id].extend(result.runs.wall_us)
    deviations = _run_deviations(ratios.values())
    run_errors = {
        item_id: {
            lease: MEDIAN_ERROR * deviations[lease] / math.sqrt(len(each)) for lease, each in leases.items()
        }
        for item_id, leases in ratios.items()
    }
    process_variance = _process_variance(ratios, run_errors)
    return {
        item_id: _relative_latency(leases, run_errors[item_id], process_variance, walls[item_id])
        for item_id, leases in ratios.items()
    }


def noise_ceiling(relative: Iterable[RelativeLatency]) -> float:
    """Return the mean relative difference between odd and even leases' latencies of the same networks."""
    repeated = [one.lease_ratios for one in relative if len(one.lease_ratios) > 1]
    if not repeated:
        return float("nan")
    return fmean(abs(fmean(ratios[::2]) / fmean(ratios[1::2]) - 1) for ratios in repeated)


def ratios_to_anchor(runs: RunSamples, anchor: RunSamples) -> Array:
    """Divide each run by the median of the anchor runs around it."""
    anchor_us = np.asarray(anchor.wall_us)
    if runs.turn_index and anchor.turn_index:
        turns, anchor_turns = np.asarray(runs.turn_index), np.asarray(anchor.turn_index)
    else:  # samples of an agent that does not tell: a turn is one run
        turns = np.searchsorted(np.asarray(anchor.start_us), np.asarray(runs.start_us)) - 1
        anchor_turns = np.arange(len(anchor_us))
    ratios: Array = np.array(
        [
            wall_us / np.median(anchor_us[(anchor_turns >= turn - 1) & (anchor_turns <= turn + 2)])
            for wall_us, turn in zip(runs.wall_us, turns, strict=True)
            if turn >= 0
        ]
    )
    return ratios


def _run_deviations(items: Iterable[Mapping[str, Array]]) -> dict[str, float]:
    """Return the relative standard deviation of single runs in each lease, over all of its networks.

    A network has few runs; how restless the device was is a matter of the lease.
    """
    residuals: dict[str, list[Array]] = defaultdict(list)
    for leases in items:
        for lease_id, ratios in leases.items():
            if len(ratios) > 1:
                centred = ratios / ratios.mean() - 1
                residuals[lease_id].append(centred * math.sqrt(len(ratios) / (len(ratios) - 1)))
    deviations: dict[str, float] = defaultdict(float)
    for lease_id, each in residuals.items():
        deviations[lease_id] = SIGMA_OVER_MAD * float(np.median(np.abs(np.concatenate(each))))
    return deviations


def _process_variance(
    ratios: Mapping[str, Mapping[str, Array]], run_errors: Mapping[str, Mapping[str, float]]
) -> float:
    """Return the relative variance of a network from lease to lease beside what its single runs explain.

    0 where no network is in several leases: then nothing tells.
    """
    surplus, freedom = 0.0, 0
    for item_id, leases in ratios.items():
        log_medians = np.log([np.median(each) for each in leases.values()])
        explained = fmean(error**2 for error in run_errors[item_id].values())
        surplus += float(np.sum((log_medians - log_medians.mean()) ** 2)) - (len(leases) - 1) * explained
        freedom += len(leases) - 1
    return max(0.0, surplus / freedom) if freedom else 0.0


def _relative_latency(
    leases: Mapping[str, Array],
    run_errors: Mapping[str, float],
    process_variance: float,
    walls_us: Sequence[float],
) -> RelativeLatency:
    pooled = np.concatenate(list(leases.values()))
    ratio = float(np.median(pooled))
    run_variance = sum(
        (len(leases[lease]) * error / len(pooled)) ** 2 for lease, error in run_errors.items()
    )
    error = ratio * math.sqrt(run_variance + process_variance / len(leases))
    return RelativeLatency(
        ratio,
        ratio - Z_90 * error,
        ratio + Z_90 * error,
        float(np.median(walls_us)),
        len(pooled),
        tuple(float(np.median(each)) for each in leases.values()),
    )
