"""A search measures whole networks on its devices: predicted against measured."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from search_server.clock import utc_now
from search_server.leases.artifacts import store_artifact
from search_server.model_files.model_file import ModelFile
from search_server.profiling.measurements import measured_file, measured_latencies, request_measurement
from search_server.resources.found_networks import DeviceLatency, FoundArchitecture, Role
from search_server.resources.latencies import MeasuredLatency
from search_server.searches.recording import record_architecture
from search_server.searches.search_job import SearchDevice, SearchJob
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
        measurement_ids = {device.name: _request(session, job, device, architectures) for device in devices}
    return {
        (name, each.architecture): each.latency_us
        for name, answers in _wait_for(job, measurement_ids).items()
        for each in answers
    }


def measure_file(job: SearchJob, device: SearchDevice, network: Architecture, file: ModelFile) -> float:
    """Return the latency of a model file of a network on a device, in microseconds.

    A file that this search has measured before is not measured again.

    Raises:
        ValueError: the device gave no usable measurement of it.
        StoppedError: the worker is being stopped.
    """
    with job.transaction() as session:
        artifact = store_artifact(session, job.store, file, utc_now())
        earlier = measured_file(session, job.job_id, artifact.sha256, device.device_id)
        if earlier is not None:
            return earlier
        measurement_id = _request(session, job, device, [str(network)], artifact.sha256)
    answers = _wait_for(job, {device.name: measurement_id})[device.name]
    if not answers:
        raise ValueError(
            f"device {device.name} gave no usable measurement of the exported {file.format} file; see "
            f"measurement {measurement_id}, then 'edgenas search resume {job.job_id}'"
        )
    return answers[0].latency_us


def _request(
    session: Session, job: SearchJob, device: SearchDevice, networks: Sequence[str], file: str | None = None
) -> str:
    """Queue the measuring of networks on a device and return the job's id."""
    conditions = replace(device.table.conditions, runtime_version=None)
    where = job.store, device.device_id, job.space.name
    accept_noise = device.table.is_noise_accepted
    return request_measurement(
        session, *where, networks, conditions, job.job_id, utc_now(), file, accept_noise
    )


def _wait_for(job: SearchJob, measurement_ids: Mapping[str, str]) -> dict[str, tuple[MeasuredLatency, ...]]:
    """Return what each measurement found, by the same names, once all have ended."""
    found: dict[str, tuple[MeasuredLatency, ...]] = {}
    while True:
        job.go_on()
        for name, measurement_id in measurement_ids.items():
            if name not in found:
                with job.transaction() as session:
                    answers = measured_latencies(session, measurement_id)
                if answers is not None:
                    found[name] = answers
        if len(found) == len(measurement_ids):
            return found
        time.sleep(POLL_S)


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
