"""A search measures whole networks on its devices: predicted against measured."""

import time
from collections.abc import Sequence
from dataclasses import replace

from search_server.clock import utc_now
from search_server.profiling.measurements import measured_latencies, request_measurement
from search_server.resources.searches import DeviceLatency, FoundArchitecture, Role
from search_server.searches.recording import record_architecture
from search_server.searches.search_job import SearchJob
from search_server.searches.searches import search_architectures
from shared.architecture import Architecture

POLL_S = 0.5

_Latencies = dict[tuple[str, str], float]


def measure_networks(
    job: SearchJob, networks: Sequence[tuple[Role, Architecture]], progress: float
) -> list[FoundArchitecture]:
    """Measure networks on each device, record them, and return them in the same order.

    Networks that this search has measured before are not measured again. On a device without an agent
    nothing can be measured: there the prediction stands alone, and ``measured_us`` stays None.

    Raises:
        ValueError: a device gave no usable measurement of a network.
        StoppedError: the worker is being stopped.
    """
    with job.transaction() as session:
        recorded = search_architectures(session, job.job_id)
    known = {(n.role, n.architecture): n for n in recorded if is_measured(job, n)}
    wanted = [str(network) for role, network in networks if (role, str(network)) not in known]
    latencies = _measure(job, wanted, progress)
    measured = [
        known.get((role, str(network))) or _describe(job, role, network, latencies)
        for role, network in networks
    ]
    with job.transaction() as session:
        for each in measured:
            record_architecture(session, job.job_id, each)
    return measured


def is_measured(job: SearchJob, network: FoundArchitecture) -> bool:
    """Return whether a network was measured on each device that can be measured on, and on one at least."""
    answers = [network.measured_us, *(other.measured_us for other in network.others)]
    asked = [us for device, us in zip(job.devices, answers, strict=True) if device.can_measure]
    return bool(asked) and None not in asked


def _measure(job: SearchJob, architectures: list[str], progress: float) -> _Latencies:
    """Return the latency of each network on each device, by the name of the device and the blocks."""
    devices = [device for device in job.devices if device.can_measure]
    if not architectures or not devices:
        return {}
    names = ", ".join(device.name for device in devices)
    job.tell("measure", progress, f"measuring {len(architectures)} networks on {names}")
    with job.transaction() as session:
        measurement_ids = {
            device.name: request_measurement(
                session,
                job.data_dir,
                device.device_id,
                job.space.name,
                architectures,
                replace(device.table.conditions, runtime_version=None),
                job.job_id,
                utc_now(),
            )
            for device in devices
        }
    latencies: _Latencies = {}
    while measurement_ids:
        job.go_on()
        for name, measurement_id in list(measurement_ids.items()):
            with job.transaction() as session:
                answers = measured_latencies(session, measurement_id)
            if answers is not None:
                latencies |= {(name, each.architecture): each.latency_us for each in answers}
                del measurement_ids[name]
        if measurement_ids:
            time.sleep(POLL_S)
    return latencies


def _describe(
    job: SearchJob, role: Role, architecture: Architecture, latencies: _Latencies
) -> FoundArchitecture:
    for device in job.devices:
        if device.can_measure and (device.name, str(architecture)) not in latencies:
            raise ValueError(
                f"device {device.name} gave no usable measurement of {architecture}; see the measurement "
                "job, run 'profiler-agent selftest' on the device, then "
                f"'edgenas search resume {job.job_id}'"
            )
    workload = architecture.workload()
    first, *others = job.devices
    return FoundArchitecture(
        role=role,
        architecture=str(architecture),
        macs=workload.macs,
        params=workload.num_params,
        predicted_us=first.predict_us(architecture),
        measured_us=latencies.get((first.name, str(architecture))),
        others=tuple(
            DeviceLatency(
                device.name,
                device.target_us or 0.0,
                device.predict_us(architecture),
                latencies.get((device.name, str(architecture))),
            )
            for device in others
        ),
    )
