"""From theta to networks: draw, keep those within a latency, rank by the supernet's accuracy.

The most probable network under a latency cap is found exactly, by dynamic programming over latency in
small steps, so a budget is held even where theta is not decided.

Shape letters: N batch, L layers, K candidates, B bins of latency.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from search_server.nas.batches import Batch
from search_server.nas.latency_loss import LatencySource
from search_server.nas.paths import log_probabilities
from search_server.nas.supernet import Supernet
from search_server.nas.train import evaluate
from shared.architecture import Architecture
from shared.modules import NetworkModule, to_channels_last

Matrix = NDArray[np.float64]

_NUM_BINS = 4000


@dataclass(frozen=True, slots=True)
class RankedArchitecture:
    """A network with what is known of it before it is trained."""

    architecture: Architecture
    predicted_us: float
    supernet_accuracy: float
    """On the choosing split, with weights inherited from the supernet, 0..1."""
    log_probability: float


def most_probable_within(
    log_p_LK: Matrix, latency_us_LK: Matrix, low_us: float, high_us: float
) -> list[int] | None:
    """Return the indices that maximise ``sum log p`` while the latencies sum to ``low_us..high_us``.

    A multiple-choice knapsack, solved over ``_NUM_BINS`` steps of latency, each rounded up: the sum never
    exceeds ``high_us``, and networks up to ``L`` steps below it may be missed. None if there is no such
    network.
    """
    floor_us = float(latency_us_LK.min(1).sum())
    if floor_us > high_us:
        return None
    width_us = max(high_us - floor_us, 1e-9) / _NUM_BINS
    steps_LK = np.ceil((latency_us_LK - latency_us_LK.min(1, keepdims=True)) / width_us - 1e-9)
    cost_LK = np.minimum(steps_LK, _NUM_BINS + 1).astype(int)
    best_B = np.full(_NUM_BINS + 1, -np.inf)
    best_B[0] = 0.0
    choices_LB = []
    for log_p_K, cost_K in zip(log_p_LK, cost_LK, strict=True):
        reached_KB = np.full((len(cost_K), _NUM_BINS + 1), -np.inf)
        for k, cost in enumerate(cost_K):
            if cost <= _NUM_BINS:
                reached_KB[k, cost:] = best_B[: _NUM_BINS + 1 - cost] + log_p_K[k]
        choices_LB.append(reached_KB.argmax(0))
        best_B = reached_KB.max(0)
    first_bin = min(_NUM_BINS, max(0, math.ceil((low_us - floor_us) / width_us) + len(log_p_LK)))
    used = first_bin + int(best_B[first_bin:].argmax())
    if best_B[used] == -np.inf:
        return None
    indices = []
    for choice_B, cost_K in zip(reversed(choices_LB), reversed(cost_LK), strict=True):
        indices.append(int(choice_B[used]))
        used -= int(cost_K[indices[-1]])
    return indices[::-1]


def decided_architecture(
    supernet: Supernet,
    table: LatencySource,
    high_us: float = math.inf,
    low_us: float = 0.0,
) -> Architecture:
    """Return the most probable network among those of predicted latency ``low_us..high_us``.

    If no network lies in the range, the lower end gives way.

    Raises:
        ValueError: even the fastest network of the space takes longer than ``high_us``.
    """
    if high_us == math.inf and low_us <= 0:
        return supernet.architecture()
    log_p_LK = log_probabilities(supernet.theta_LK.detach()).double().numpy()
    latency_us_LK = np.asarray(table.latency_us_LK(), dtype=np.float64)
    fixed_us = table.fixed_us
    high_us = min(high_us, fixed_us + float(latency_us_LK.max(1).sum()))
    for lower_us in (low_us, 0.0):
        indices = most_probable_within(log_p_LK, latency_us_LK, lower_us - fixed_us, high_us - fixed_us)
        if indices is not None:
            return supernet.architecture_at(indices)
    fastest_us = fixed_us + float(latency_us_LK.min(1).sum())
    raise ValueError(
        f"no network of space {supernet.space.name!r} is predicted to run in {high_us / 1e3:.4g} ms; "
        f"the fastest takes {fastest_us / 1e3:.4g} ms"
    )


def sample_architectures(
    supernet: Supernet,
    predict_us: Callable[[Architecture], float],
    num_samples: int,
    generator: torch.Generator,
    *,
    low_us: float = 0.0,
    high_us: float = float("inf"),
    num_draws: int = 2000,
) -> Iterator[Architecture]:
    """Draw distinct networks from softmax(theta) whose predicted latency lies in a range.

    Yields fewer than ``num_samples`` if ``num_draws`` draws do not give as many.
    """
    probability_LK = log_probabilities(supernet.theta_LK.detach()).exp()
    seen: set[tuple[str, ...]] = set()
    num_found = 0
    for _ in range(num_draws):
        if num_found >= num_samples:
            return
        indices_L = torch.multinomial(probability_LK, 1, generator=generator).flatten().tolist()
        architecture = supernet.architecture_at(indices_L)
        if architecture.blocks not in seen and low_us <= predict_us(architecture) <= high_us:
            num_found += 1
            yield architecture
        seen.add(architecture.blocks)


def inherit(supernet: Supernet, architecture: Architecture) -> NetworkModule:
    """Return a stand-alone network with the supernet's weights."""
    network = NetworkModule(architecture.workload())
    network.load_state_dict(supernet.extract_weights(architecture))
    return network


def rank(
    supernet: Supernet,
    architectures: Iterable[Architecture],
    predict_us: Callable[[Architecture], float],
    calibration_batches: Iterable[Batch],
    validation_batches: Iterable[Batch],
) -> list[RankedArchitecture]:
    """Return networks by falling accuracy with inherited weights.

    Batch-norm statistics are taken anew for each network: those of the supernet come from other paths.

    Args:
        supernet: the weights, and theta for the probabilities.
        architectures: what to compare.
        predict_us: predicted latency of a network.
        calibration_batches: images of the weight split, for the statistics.
        validation_batches: images of the choosing split.
    """
    log_p_LK = log_probabilities(supernet.theta_LK.detach())
    ranked = []
    for architecture in architectures:
        network = inherit(supernet, architecture)
        recalibrate(network, calibration_batches)
        log_probability = sum(
            float(log_p_K[k]) for log_p_K, k in zip(log_p_LK, architecture.indices, strict=True)
        )
        ranked.append(
            RankedArchitecture(
                architecture,
                predict_us(architecture),
                evaluate(network, validation_batches),
                log_probability,
            )
        )
    return sorted(ranked, key=lambda each: (-each.supernet_accuracy, -each.log_probability))


@torch.no_grad()
def recalibrate(network: NetworkModule, batches: Iterable[Batch]) -> None:
    """Replace the running statistics of all batch norms by plain means over the batches."""
    norms = [part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    to_channels_last(network)
    for images_NCHW, _ in batches:
        network(images_NCHW.to(memory_format=torch.channels_last))
    for norm in norms:
        norm.momentum = 0.1
