"""From theta to networks: decide, draw those within the caps, give them what the supernet has learned.

Shape letters: N batch, L layers, K candidates.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from search_server.nas.budget.caps import Cap, amount, is_within
from search_server.nas.budget.decide import most_probable_within
from search_server.nas.budget.projection import hold, undecided
from search_server.nas.data.batches import Batch
from search_server.nas.supernet.accelerator import accelerator_of, forward_precision, placed
from search_server.nas.supernet.paths import entropy_L, log_probabilities
from search_server.nas.supernet.supernet import Supernet
from shared.architecture import Architecture
from shared.modules import NetworkModule, to_channels_last
from shared.search_space import SearchSpace

NUM_TYPICAL = 100
"""Networks that tell what neighbours add under a theta: to about a tenth of a percent of their latency."""
_MAX_SETTLINGS = 10
"""Times that the decided network may differ from the one whose neighbours were reckoned with."""


def decided_architecture(
    supernet: Supernet, caps: Sequence[Cap] = (), least_load: float = 0.0
) -> Architecture:
    """Return the most probable network among those that keep all caps.

    Where neighbours leave none, it is the most probable of those whose sums keep them.

    Args:
        supernet: theta, and the space.
        caps: limits; none: the most probable network of all.
        least_load: the network uses so much of some limit, 0..1; gives way if no network does.

    Raises:
        ValueError: no network keeps all caps.
    """
    if not caps:
        return supernet.architecture()
    log_p_LK = log_probabilities(supernet.theta_LK.detach()).double().cpu().numpy()
    for load in (least_load, 0.0):
        settled = settled_caps(supernet.space, caps, supernet.theta_LK)
        for _ in range(_MAX_SETTLINGS):
            indices = most_probable_within(log_p_LK, settled, load)
            if indices is None:
                break
            network = supernet.architecture_at(indices)
            if is_within(caps, network, load):
                return network
            settled = tuple(_settled_again(cap, network, is_last=not load) for cap in settled)
    indices = most_probable_within(log_p_LK, [replace(cap, usual_neighbours=0.0) for cap in caps])
    if indices is not None:
        return supernet.architecture_at(indices)
    limits = " and ".join(f"{amount(cap.limit, cap.unit)} of {cap.name}" for cap in caps)
    least = ", ".join(f"{amount(cap.least, cap.unit)} of {cap.name}" for cap in caps)
    raise ValueError(
        f"no network of space {supernet.space.name!r} is predicted to keep within {limits}; "
        f"the least of each is {least}; raise a limit"
    )


def sample_architectures(
    supernet: Supernet,
    caps: Sequence[Cap],
    num_samples: int,
    generator: torch.Generator,
    *,
    least_load: float = 0.0,
    least_entropy: float = 0.0,
    num_draws: int = 2000,
) -> Iterator[Architecture]:
    """Draw distinct networks from softmax(theta) that keep all caps and use enough of one of them.

    Yields fewer than ``num_samples`` if ``num_draws`` draws do not give as many.

    Args:
        supernet: theta, and the space; neither is changed.
        caps: limits, kept by each network.
        num_samples: how many networks are wanted.
        generator: the source of the draws.
        least_load: each uses so much of some limit, 0..1.
        least_entropy: a theta whose layers have less in the mean, as a share of log K, is made less decided
            for the drawing, with the same leanings and its mean costs at the caps.
        num_draws: at most.
    """
    theta_LK = supernet.theta_LK.detach()
    if float(entropy_L(theta_LK).mean()) < least_entropy * math.log(theta_LK.shape[1]):
        theta_LK = undecided(theta_LK)
        for _ in range(2):  # what neighbours add depends on theta, and theta on the limits
            settled = settled_caps(supernet.space, caps, theta_LK)
            hold(theta_LK, settled, least_entropy * math.log(theta_LK.shape[1]))
    probability_LK = log_probabilities(theta_LK).exp()
    seen: set[tuple[str, ...]] = set()
    num_found = 0
    for _ in range(num_draws):
        if num_found >= num_samples:
            return
        indices_L = torch.multinomial(probability_LK, 1, generator=generator).flatten().tolist()
        architecture = supernet.architecture_at(indices_L)
        if architecture.blocks not in seen and is_within(caps, architecture, least_load):
            num_found += 1
            yield architecture
        seen.add(architecture.blocks)


def _settled_again(cap: Cap, network: Architecture, is_last: bool) -> Cap:
    """Reckon with neighbours half way to those of a network; at last with the dearest so far."""
    before, after = cap.usual_neighbours, cap.settled([network]).usual_neighbours
    return replace(cap, usual_neighbours=max(before, after) if is_last else (before + after) / 2)


def settled_caps(space: SearchSpace, caps: Sequence[Cap], theta_LK: Tensor) -> tuple[Cap, ...]:
    """Return caps with what neighbours add in the mean of networks that theta draws."""
    networks = typical_networks(space, theta_LK)
    return tuple(cap.settled(networks) for cap in caps)


def typical_networks(space: SearchSpace, theta_LK: Tensor) -> list[Architecture]:
    """Return ``NUM_TYPICAL`` networks that softmax(theta) draws, the same ones each time."""
    probability_LK = log_probabilities(theta_LK.detach()).exp()
    generator = torch.Generator().manual_seed(0)
    draws_LN = torch.multinomial(probability_LK, NUM_TYPICAL, replacement=True, generator=generator)
    return [
        Architecture(space, tuple(space.candidates[index] for index in indices_L))
        for indices_L in draws_LN.T.tolist()
    ]


def inherit(supernet: Supernet, architecture: Architecture) -> NetworkModule:
    """Return a stand-alone network with the supernet's weights, where these are."""
    network = NetworkModule(architecture.workload()).to(supernet.accelerator)
    network.load_state_dict(supernet.extract_weights(architecture))
    return network


@torch.no_grad()
def recalibrate(network: NetworkModule, batches: Iterable[Batch], mixed_precision: bool = False) -> None:
    """Replace the running statistics of all batch norms by plain means over the batches."""
    norms = [part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    to_channels_last(network)
    accelerator = accelerator_of(network)
    for batch in batches:
        images_NCHW, _ = placed(batch, accelerator)
        with forward_precision(accelerator, mixed_precision):
            network(images_NCHW.to(memory_format=torch.channels_last))
    for norm in norms:
        norm.momentum = 0.1
