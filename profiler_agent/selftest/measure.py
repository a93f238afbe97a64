"""Measures a published network on every runtime of this device, the way a server would have it measured.

The network is FBNet-96-0.35-1 (arXiv 1812.03443): small enough for any board, slow enough to be timed.
Its model files come with the package, compressed; ``python -m scripts.selftest_models`` writes them.
"""

import gzip
import hashlib
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from profiler_agent.agent import AgentCore
from profiler_agent.selftest.advice import advise, spread_of
from shared.architecture import parse_architecture
from shared.protocol.device import Conditions, Device, RuntimeInfo
from shared.protocol.measurement import (
    Artifact,
    Lease,
    LeaseItem,
    Policy,
    Result,
)
from shared.protocol.wire import to_dict
from shared.runtimes import RUNTIMES

NETWORK = "fbnet-96-035-1"

MODEL_FORMATS = {
    runtime.name: runtime.model_format for runtime in RUNTIMES.values() if runtime.model_format is not None
}
"""Runtimes that load a model file; all others build the network from the workload."""

_TTL_S = 300.0


@dataclass(frozen=True, slots=True)
class RuntimeReport:
    """How one runtime of this device did."""

    runtime: RuntimeInfo
    result: Result
    is_usable: bool
    advice: tuple[str, ...]
    """What is wrong or could be better, with what to do."""

    @property
    def num_runs(self) -> int:
        return len(self.result.runs.wall_us)

    @property
    def fastest_us(self) -> float | None:
        return min(self.result.runs.wall_us, default=None)

    @property
    def median_us(self) -> float | None:
        return statistics.median(self.result.runs.wall_us) if self.num_runs else None

    @property
    def cpu_us(self) -> float | None:
        """Median CPU time of a run: far below its wall time, it waited."""
        cpu_us = self.result.runs.cpu_us
        return statistics.median(cpu_us) if cpu_us else None

    @property
    def switches_per_run(self) -> float | None:
        """How often other programs took the core from a run, on average."""
        switches = self.result.runs.involuntary_switches
        return statistics.fmean(switches) if switches else None

    @property
    def faults_per_run(self) -> float | None:
        """Minor page faults of a run, on average."""
        faults = self.result.runs.minor_faults
        return statistics.fmean(faults) if faults else None

    def to_dict(self) -> dict[str, object]:
        """Return plain data for programs, without the samples."""
        return {
            "runtime": to_dict(self.runtime),
            "status": self.result.status,
            "is_usable": self.is_usable,
            "wall_us": {"num_samples": self.num_runs, "minimum": self.fastest_us, "median": self.median_us},
            "spread": spread_of(self.result.runs.wall_us),
            "cpu_us": self.cpu_us,
            "involuntary_switches_per_run": self.switches_per_run,
            "minor_faults_per_run": self.faults_per_run,
            "cores_seen": list(self.result.cores_seen),
            "canary_us": self.result.canary_us,
            "paused_s": self.result.paused_s,
            "advice": list(self.advice),
        }


def model_name(runtime: str) -> str:
    """Return the name of the file in this package that holds the network for a runtime."""
    return f"{NETWORK}.{MODEL_FORMATS[runtime]}.gz"


def run_selftest(
    core: AgentCore, device: Device, cores: tuple[int, ...], threads: int, policy: Policy
) -> Iterator[RuntimeReport]:
    """Measure the network on each runtime and judge the stability.

    Args:
        core: measures; must be idle.
        device: with the runtimes to test.
        cores: to run on; empty leaves the choice to the operating system.
        threads: of the runtime.
        policy: how long to measure.
    """
    for runtime in device.runtimes:
        conditions = Conditions(runtime.name, threads=threads, cores=cores)
        lease = _lease(core, conditions, policy)
        (result,) = core.run(lease)
        is_usable, advice = advise(result, spread_of(result.runs.wall_us), device, conditions)
        yield RuntimeReport(runtime, result, is_usable, advice)


def _lease(core: AgentCore, conditions: Conditions, policy: Policy) -> Lease:
    workload = parse_architecture(NETWORK).workload()
    item = LeaseItem(NETWORK, workload, _stored_artifact(core, conditions.runtime), profile_segments=True)
    return Lease("selftest", 0, core.device_id or "self", (item,), conditions, policy, _TTL_S)


def _stored_artifact(core: AgentCore, runtime: str) -> Artifact | None:
    """Put the shipped model file into the agent's cache; None if the runtime needs no file."""
    if runtime not in MODEL_FORMATS:
        return None
    content = gzip.decompress((files("profiler_agent.selftest") / model_name(runtime)).read_bytes())
    artifact = Artifact(hashlib.sha256(content).hexdigest(), len(content), MODEL_FORMATS[runtime])
    with core.artifacts.writing(artifact.sha256, artifact.size_bytes) as file:
        file.write(content)
    return artifact
