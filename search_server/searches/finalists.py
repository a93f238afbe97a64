"""From theta to measured networks, and the baselines beside them; one correction if none is on target."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import zip_longest

from search_server.nas.budget.caps import Cap, latency_cap, share_used
from search_server.nas.budget.search_caps import are_kept
from search_server.nas.choosing.drawn import drawing_probabilities
from search_server.nas.choosing.most import most_network
from search_server.nas.choosing.shortlist import DRAWING_ENTROPY, shortlist
from search_server.nas.data.images import DataSplits
from search_server.nas.search import SearchRun
from search_server.resources.found_networks import FoundArchitecture, Role
from search_server.search_options import MostName
from search_server.searches.recording import record_step
from search_server.searches.search_job import SearchJob
from search_server.searches.searches import search_steps_after
from search_server.searches.stages import MEASURED, SEARCHED
from search_server.searches.targets import SPAN, corrections, is_on_target, loads, nearness
from search_server.searches.training import tried_out
from search_server.searches.verification import measure_networks
from shared.architecture import (
    Architecture,
    parse_architecture,
    random_architecture,
    uniform_architecture,
)

NUM_FINALISTS = 2
"""Found networks that are trained; the validation split chooses."""


def shortlist_caps(job: SearchJob, run: SearchRun) -> tuple[Cap, ...]:
    """Return the limits of the networks to look at: those of the search, or the latency that it led to."""
    if run.caps:
        return run.caps
    limit_us = job.targets_us[0] if job.targets_us else job.predict_us(run.architecture())
    return (latency_cap(job.devices[0].name, run.latency, limit_us),)


def measured_finalists(
    job: SearchJob, caps: Sequence[Cap], measured_within: Callable[[Sequence[Cap]], list[FoundArchitecture]]
) -> list[FoundArchitecture]:
    """Return the first of the measured networks that are on target, or else those nearest to it.

    If the measurements put none on target, others are decoded once more, under limits corrected by the
    median of measured / predicted.

    Args:
        job: the search.
        caps: the limits as predicted.
        measured_within: decodes networks within limits and measures them, the best first.
    """
    measured = measured_within(caps)
    if not job.targets_us:
        return measured[:NUM_FINALISTS]
    has_limits = job.request.shortlist == "decoded"
    if has_limits and not any(is_on_target(loads(job, network)) for network in measured):
        corrected = corrected_caps(job, caps, measured)
        if corrected is not None:
            measured = measured_within(corrected) + measured
    distinct = {network.architecture: network for network in measured}
    return sorted(distinct.values(), key=lambda each: nearness(loads(job, each)))[:NUM_FINALISTS]


def measured_most(
    job: SearchJob, role: Role, most: MostName, caps: Sequence[Cap]
) -> list[FoundArchitecture]:
    """Return the network with the most of something within some caps, measured."""
    job.tell("sample", SEARCHED, "decoding the largest network within the limits from the table")
    return measure_networks(job, [(role, most_network(job.space, caps, most))], SEARCHED)


def measured_shortlist(
    job: SearchJob, run: SearchRun, data: DataSplits, caps: Sequence[Cap]
) -> list[FoundArchitecture]:
    """Return the shortlist under some caps, measured, the most accurate after a short training first."""
    job.tell("sample", SEARCHED, "ranking networks decoded and drawn from theta")
    record_drawing(job, run, caps)
    request = job.request
    networks = shortlist(
        run.supernet,
        None if request.shortlist == "sampled" else caps,
        data,
        request.num_samples,
        request.seed,
        1 - SPAN,
        request.batch_size,
        request.mixed_precision,
        losses_of=partial(tried_out, job),
    )
    return measure_networks(job, [("found", network) for network in networks], SEARCHED)


def record_drawing(job: SearchJob, run: SearchRun, caps: Sequence[Cap]) -> None:
    """Keep with the last step which probabilities networks are drawn with."""
    if job.request.shortlist == "sampled":
        probability_LK = drawing_probabilities(run.supernet, (), 0.0)
    else:
        probability_LK = drawing_probabilities(run.supernet, caps, DRAWING_ENTROPY)
    with job.transaction() as session:
        for last in search_steps_after(session, job.job_id, run.step - 1):
            drawn_from = tuple(map(tuple, probability_LK.tolist()))
            record_step(session, job.job_id, replace(last, drawn_from=drawn_from))


def corrected_caps(
    job: SearchJob, caps: Sequence[Cap], measured: Sequence[FoundArchitecture]
) -> list[Cap] | None:
    """Return limits under which networks should measure as their targets say; None if that cannot be.

    Only measured latencies correct a limit: that of a device without an agent stays, and so do those on
    MACs and parameters.
    """
    networks = [parse_architecture(each.architecture, job.space) for each in measured]
    predicted_ND = [[cap.cost(network) / cap.limit for cap in caps] for network in networks]
    factors = corrections([loads(job, each) for each in measured], predicted_ND)
    are_measured = [device.can_measure for device in job.devices]
    if job.request.combine == "weighted":
        are_measured = [all(are_measured)]
    limits = [
        cap.limit / factor if is_measured else cap.limit
        for cap, factor, is_measured in zip_longest(caps, factors, are_measured)
    ]
    corrected = [cap.with_limit(limit) for cap, limit in zip(caps, limits, strict=True)]
    return corrected if limits != [cap.limit for cap in caps] and are_kept(corrected) else None


def measured_baselines(job: SearchJob, caps: Sequence[Cap]) -> list[FoundArchitecture]:
    """Return the uniform network nearest to the limits, a random one beside them, and the largest within.

    The largest, by multiply-accumulates, is brought to the target as found networks are.
    """
    request = job.request
    if not request.compare_baselines:
        return []

    def distance(architecture: Architecture) -> float:
        return abs(share_used(caps, architecture) - 1)

    uniform = min((uniform_architecture(job.space, b) for b in job.space.candidates), key=distance)
    networks: list[tuple[Role, Architecture]] = [("uniform", uniform)]
    generator = random.Random(request.seed)
    drawn = (random_architecture(job.space, generator) for _ in range(20_000))
    near = next((network for network in drawn if distance(network) <= SPAN), None)
    if near is not None:
        networks.append(("random", near))
    baselines = measure_networks(job, networks, SEARCHED + (MEASURED - SEARCHED) / 2)
    if request.paths == "none" and request.most == "macs":
        return baselines  # it is the found network
    return [
        *baselines,
        *measured_finalists(job, caps, partial(measured_most, job, "most_macs", "macs"))[:1],
    ]
