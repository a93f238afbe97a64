"""Leases for the tests: real ones for ONNX Runtime, and odd ones for a runtime that misbehaves."""

import hashlib
import sys
from pathlib import Path

from profiler_agent.agent import AgentCore
from profiler_agent.bounds import Bounds
from profiler_agent.facts.device import read_device
from search_server.model_files.onnx_model import onnx_bytes
from shared.blocks import InvertedResidual
from shared.operators import GlobalAvgPool, Linear
from shared.protocol.device import Conditions, Device
from shared.protocol.measurement import Artifact, Lease, LeaseItem, Policy
from shared.workload import Segment, Workload

WORKLOAD = Workload(
    (8, 12, 12),
    (InvertedResidual(3, 3).lower("layer01", 8, 8, 1), Segment("head", (GlobalAvgPool(), Linear(8, 4)))),
)
MODEL = onnx_bytes(WORKLOAD)
ARTIFACT = Artifact(hashlib.sha256(MODEL).hexdigest(), len(MODEL))

ODD_COMMAND = (sys.executable, "-m", "tests.profiler_agent.odd_process")

SHORT = Policy(window_s=0.05, warmup_s=0.01, min_runs=2)


def real_lease(*item_ids: str, lease_id: str = "real", device_id: str = "phone") -> Lease:
    """Return a lease for ONNX Runtime with one small workload under each id."""
    items = tuple(LeaseItem(item_id, WORKLOAD, ARTIFACT, profile_segments=True) for item_id in item_ids)
    return Lease(lease_id, 1, device_id, items, Conditions(), SHORT, ttl_s=60)


def odd_lease(*item_ids: str, lease_id: str = "odd", ttl_s: float = 60) -> Lease:
    """Return a lease whose items behave as their ids say; see ``odd_process``."""
    items = tuple(LeaseItem(item_id, WORKLOAD) for item_id in item_ids)
    return Lease(lease_id, 1, "phone", items, Conditions("simulated"), SHORT, ttl_s)


def agent_core(folder: Path, *, is_odd: bool = False, bounds: Bounds | None = None) -> AgentCore:
    """Return an agent called ``phone``; an odd one has the runtime that misbehaves."""
    if is_odd:
        return AgentCore(folder, "phone", bounds, ODD_COMMAND)
    return AgentCore(folder, "phone", bounds)


PHONE = read_device("phone", ())


async def tell_phone() -> Device:
    """Tell what this device is, as an agent does whose runtimes were asked."""
    return PHONE


def measuring_pid(core: AgentCore) -> int:
    """Return the process that measures the lease at work."""
    assert core._running is not None
    assert core._running._process is not None
    return core._running._process._child.pid


def store_model(core: AgentCore) -> None:
    """Put the model of the real leases into the agent's cache."""
    with core.artifacts.writing(ARTIFACT.sha256, ARTIFACT.size_bytes) as file:
        file.write(MODEL)
