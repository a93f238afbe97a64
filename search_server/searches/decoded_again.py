"""Networks decoded from what an earlier search has learnt: one for a target, or a front on each device."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import IO

import numpy as np

from search_server.nas.budget.caps import Cap, latency_cap
from search_server.nas.budget.latency_model import LatencyModel
from search_server.nas.budget.search_caps import budget_caps, count_caps
from search_server.nas.choosing.decided import best_network
from search_server.nas.choosing.front import front_targets_us
from search_server.nas.learnt import Learnt, load_learnt, load_supernet
from search_server.nas.supernet.accelerator import CPU
from search_server.nas.supernet.supernet import Supernet
from search_server.resources.found_networks import DecodedFor, FoundArchitecture
from search_server.searches.delivery import deliver
from search_server.searches.finalists import measured_finalists
from search_server.searches.recording import record_architecture
from search_server.searches.search_inputs import device_tables, search_data
from search_server.searches.search_job import SearchDevice, SearchJob
from search_server.searches.searches import checkpoint_name
from search_server.searches.stages import SEARCHED
from search_server.searches.targets import MARGIN, SPAN, brought_to_targets
from search_server.searches.training import train_all
from search_server.searches.verification import measure_networks
from shared.architecture import Architecture


def retargeted_network(job: SearchJob) -> FoundArchitecture:
    """Decode the best network within the target, measure it, and train and export it if that is asked."""
    learnt = learnt_by_origin(job)

    def within(caps: Sequence[Cap]) -> list[FoundArchitecture]:
        job.tell("sample", SEARCHED, f"decoding from what search {job.request.origin} has learnt")
        network = best_network(job.space, learnt.score_LK, caps, 1 - SPAN)
        measured = measure_networks(job, [("found", network)], SEARCHED)
        return [_estimated(learnt, network, each) for each in measured]

    caps = budget_caps(job.space, device_tables(job), job.request)
    found = measured_finalists(job, caps, within)[0]
    _record(job, found)
    if job.request.train_epochs == 0:
        return found
    data = search_data(job)
    (trained,) = train_all(job, [found], data, _heirs_of(job))
    return deliver(job, trained, data)


@dataclass(frozen=True, slots=True)
class Point:
    """A target on one of the devices."""

    device: str
    target_us: float


def decoded_front(job: SearchJob) -> list[FoundArchitecture]:
    """Decode a network for each target on each device, measure all of them on all devices, and record them.

    Where a device puts a network off its target, that point is decoded again: see ``brought_to_targets``.
    """
    learnt = learnt_by_origin(job)
    devices = {device.name: device for device in job.devices}
    places = {device.name: place for place, device in enumerate(job.devices)}
    points = [
        Point(name, target_us)
        for name, each in devices.items()
        for target_us in _targets_us(job, learnt, each)
    ]
    job.tell("sample", SEARCHED, f"decoding {len(points)} networks for {len(job.devices)} tables")
    measured: dict[Architecture, FoundArchitecture] = {}

    def measure_us(networks: Mapping[Point, Architecture]) -> dict[Point, float]:
        distinct = [network for network in dict.fromkeys(networks.values()) if network not in measured]
        if distinct:
            found = measure_networks(job, [("front", network) for network in distinct], SEARCHED)
            measured.update(zip(distinct, found, strict=True))
        return {
            point: _latency_us(measured[network], places[point.device])
            for point, network in networks.items()
        }

    networks = brought_to_targets(
        {point: point.target_us for point in points},
        lambda point, limit_us: _decode(job, learnt, devices[point.device], limit_us),
        lambda point, network: devices[point.device].predict_us(network),
        measure_us,
    )
    front = [
        replace(
            _estimated(learnt, network, measured[network]),
            decoded_for=tuple(
                DecodedFor(point.device, point.target_us) for point in points if networks[point] == network
            ),
        )
        for network in dict.fromkeys(networks.values())
    ]
    for each in front:
        _record(job, each)
    if job.request.train_epochs:
        train_all(job, front, search_data(job), _heirs_of(job))
    return front


def _targets_us(job: SearchJob, learnt: Learnt, device: SearchDevice) -> list[float]:
    """Return the targets on a device, up to what the best network takes: slower ones are no better."""
    blocks = tuple(job.space.candidates[index] for index in learnt.score_LK.argmax(1))
    best_us = device.predict_us(Architecture(job.space, blocks))
    fastest_us, _ = device.table.latency_range_us()
    return front_targets_us(fastest_us, best_us, job.request.points or 2)


def learnt_by_origin(job: SearchJob) -> Learnt:
    """Return what the origin of a search knows of the candidates."""
    checkpoint = None if job.request.paths == "none" else _checkpoint(job)
    return load_learnt(checkpoint, job.space, job.request)


def _checkpoint(job: SearchJob) -> IO[bytes]:
    """Return the checkpoint of the origin.

    Raises:
        ValueError: it is gone.
    """
    name = checkpoint_name(str(job.request.origin))
    if not job.store.has(name):
        raise ValueError(
            f"{name} is gone from the store {job.store.url}, and with it what the search has learnt; "
            "submit the search again"
        )
    return BytesIO(job.store.read_sealed(name))


def _heirs_of(job: SearchJob) -> Supernet | None:
    """Return the supernet whose weights trained networks inherit; None: they begin from scratch."""
    if job.request.training == "scratch":
        return None
    return load_supernet(_checkpoint(job), job.space, job.request, CPU)


def _decode(job: SearchJob, learnt: Learnt, device: SearchDevice, limit_us: float) -> Architecture:
    """Return the best network within a limit on a device; the fastest where the limit is below that."""
    model = LatencyModel(device.table, job.space.num_layers, len(job.space.candidates))
    cap = latency_cap(device.name, model, max(limit_us, model.min_us))
    return best_network(job.space, learnt.score_LK, [cap, *count_caps(job.space, job.request)], 1 - MARGIN)


def _latency_us(found: FoundArchitecture, place: int) -> float:
    """Return the latency on the device at a place among those of the search."""
    each = found if place == 0 else found.others[place - 1]
    return each.predicted_us if each.measured_us is None else each.measured_us


def _estimated(learnt: Learnt, network: Architecture, found: FoundArchitecture) -> FoundArchitecture:
    if not learnt.are_effects:
        return found
    chosen_L = learnt.score_LK[np.arange(len(network.indices)), network.indices]
    return replace(found, estimated_nats=-float(chosen_L.sum()))


def _record(job: SearchJob, found: FoundArchitecture) -> None:
    with job.transaction() as session:
        record_architecture(session, job.job_id, found)
