"""A search measures whole networks on its device: predicted against measured."""

import time
from collections.abc import Sequence
from dataclasses import replace

from search_server.context import utc_now
from search_server.jobs.recording import record_architecture
from search_server.jobs.search_job import SearchJob
from search_server.jobs.searches import search_architectures
from search_server.profiling.measurements import measured_latencies, request_measurement
from search_server.resources.latencies import MeasuredLatency
from search_server.resources.searches import FoundArchitecture, Role
from shared.architecture import Architecture

POLL_S = 0.5


def measure_networks(
    job: SearchJob, networks: Sequence[tuple[Role, Architecture]], progress: float
) -> list[FoundArchitecture]:
    """Measure networks on the device, record them, and return them in the same order.

    Networks that this search has measured before are not measured again. On a device without an agent
    nothing can be measured: the predictions stand alone, and ``measured_us`` stays None.

    Raises:
        ValueError: the device gave no usable measurement of a network.
        StoppedError: the worker is being stopped.
    """
    with job.transaction() as session:
        recorded = search_architectures(session, job.job_id)
    known = {(n.role, n.architecture): n for n in recorded if n.measured_us is not None}
    wanted = [str(network) for role, network in networks if (role, str(network)) not in known]
    answers = _measure(job, wanted, progress) if job.can_measure else ()
    latencies = {each.architecture: each for each in answers}
    measured = [
        known.get((role, str(network))) or _describe(job, role, network, latencies.get(str(network)))
        for role, network in networks
    ]
    with job.transaction() as session:
        for each in measured:
            record_architecture(session, job.job_id, each)
    return measured


def _measure(job: SearchJob, architectures: list[str], progress: float) -> tuple[MeasuredLatency, ...]:
    if not architectures:
        return ()
    job.tell("measure", progress, f"measuring {len(architectures)} networks on the device")
    conditions = replace(job.table.conditions, runtime_version=None)
    with job.transaction() as session:
        measurement_id = request_measurement(
            session,
            job.data_dir,
            job.device_id,
            job.space.name,
            architectures,
            conditions,
            job.job_id,
            utc_now(),
        )
    while True:
        job.go_on()
        with job.transaction() as session:
            latencies = measured_latencies(session, measurement_id)
        if latencies is not None:
            return latencies
        time.sleep(POLL_S)


def _describe(
    job: SearchJob, role: Role, architecture: Architecture, latency: MeasuredLatency | None
) -> FoundArchitecture:
    if latency is None and job.can_measure:
        raise ValueError(
            f"the device gave no usable measurement of {architecture}; see the measurement job, run "
            f"'profiler-agent selftest' on the device, then 'edgenas search resume {job.job_id}'"
        )
    workload = architecture.workload()
    return FoundArchitecture(
        role=role,
        architecture=str(architecture),
        macs=workload.macs,
        params=workload.num_params,
        predicted_us=job.predict_us(architecture),
        measured_us=latency.latency_us if latency else None,
    )
