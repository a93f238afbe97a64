"""What an agent agrees to measure: closed limits that every lease is held against.

A lease comes from another machine. It can hold nothing but data, but data can still ask for a network
of terabytes or for a week of measuring; these limits say no, item by item and with the reason.
"""

import math
from dataclasses import dataclass

from profiler_agent.facts.device import allowed_cores
from shared.operators import Shape
from shared.protocol.device import Conditions
from shared.protocol.measurement import PROTOCOL_MAX, PROTOCOL_MIN, Lease, LeaseItem
from shared.runtimes import RUNTIMES
from shared.workload import Workload

_FP32_BYTES = 4
_LARGEST_ELEMENT_BYTES = 8


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of one agent; the defaults leave room for any network that suits a phone."""

    max_items: int = 64
    max_operators: int = 4096
    """Per workload."""
    max_size: int = 16_384
    """Of any dimension of any tensor, without the batch."""
    max_activation_bytes: int = 1 << 30
    """Of any tensor, with the batch."""
    max_inputs: int = 64
    """Of a model file that somebody brought."""
    max_macs: int = 50_000_000_000
    """Per run, with the batch."""
    max_parameter_bytes: int = 1 << 30
    """All items of a lease together: they are in memory at the same time."""
    max_artifact_bytes: int = 1 << 30
    """All files of a lease together."""
    max_window_s: float = 300.0
    max_warmup_s: float = 120.0
    max_pause_s: float = 60.0
    max_min_runs: int = 1000
    max_lease_s: float = 1800.0
    """However often the server renews it: a model that never ends wastes no more."""
    max_threads: int = 256
    cores: tuple[int, ...] = ()
    """Cores that the owner lends; empty lends all."""
    runtimes: tuple[str, ...] = ()
    """Runtimes that the owner lends; empty lends all."""


def refusals(lease: Lease, bounds: Bounds, device_id: str | None) -> dict[str, str]:
    """Return why items of a lease are refused: one sentence by item id, empty if none is.

    Without its anchor no other item is worth measuring, so all are refused with it.

    Args:
        lease: what a server asks for.
        bounds: what this agent agrees to.
        device_id: who this agent is; None if it never enrolled, so that only its token tells.
    """
    whole = _lease_refusal(lease, bounds, device_id)
    found = {item.item_id: whole or _item_refusal(item, lease, bounds) for item in lease.items}
    refused = {item_id: reason for item_id, reason in found.items() if reason}
    for anchor in lease.items:
        if anchor.is_anchor and anchor.item_id in refused:
            reason = f"its anchor is refused: {refused[anchor.item_id]}"
            return {item_id: refused.get(item_id, reason) for item_id in found}
    return refused


def _lease_refusal(lease: Lease, bounds: Bounds, device_id: str | None) -> str | None:
    if device_id is not None and lease.device_id != device_id:
        return f"the lease is for device {lease.device_id!r}, this is {device_id!r}"
    if not PROTOCOL_MIN <= lease.protocol <= PROTOCOL_MAX:
        return (
            f"the lease speaks protocol {lease.protocol}, this agent {PROTOCOL_MIN}..{PROTOCOL_MAX}; "
            "upgrade the older side"
        )
    conditions, policy = lease.conditions, lease.policy
    if bounds.runtimes and conditions.runtime not in bounds.runtimes:
        return f"this agent offers runtime {', '.join(bounds.runtimes)}, not {conditions.runtime!r}"
    cores_refusal = _cores_refusal(conditions, bounds)
    if cores_refusal:
        return cores_refusal
    artifacts = {item.artifact.sha256: item.artifact.size_bytes for item in lease.items if item.artifact}
    num_params = sum(item.workload.num_params for item in lease.items if item.workload)
    parameter_bytes = num_params * _FP32_BYTES
    return _first_above(
        ("items", len(lease.items), bounds.max_items),
        ("threads", conditions.threads, bounds.max_threads),
        ("window_s", policy.window_s, bounds.max_window_s),
        ("warmup_s", policy.warmup_s, bounds.max_warmup_s),
        ("max_pause_s", policy.max_pause_s, bounds.max_pause_s),
        ("min_runs", policy.min_runs, bounds.max_min_runs),
        ("bytes of parameters", parameter_bytes, bounds.max_parameter_bytes),
        ("bytes of model files", sum(artifacts.values()), bounds.max_artifact_bytes),
    )


def _cores_refusal(conditions: Conditions, bounds: Bounds) -> str | None:
    """Return why these threads cannot each have a core of their own among those asked for."""
    allowed = allowed_cores()
    lent = bounds.cores or allowed
    if not set(lent) <= set(allowed):
        return (
            f"the agent was given cores {_listed(lent)}, but the system lets it run on {_listed(allowed)} "
            "only; start it with --cores among these, or allow it more"
        )
    if not set(conditions.cores) <= set(lent):
        return f"cores {_listed(conditions.cores)} are not all among those offered, {_listed(lent)}"
    cores = conditions.cores or lent
    if conditions.threads > len(cores):
        return (
            f"{conditions.threads} threads need as many cores, and the lease would run on {len(cores)} "
            f"(core {_listed(cores)}); ask for at most {len(cores)} threads, or for more cores, which the "
            "owner of the device may have to allow (--cores, CPU affinity)"
        )
    return None


def _item_refusal(item: LeaseItem, lease: Lease, bounds: Bounds) -> str | None:
    if item.workload is None:
        return _own_file_refusal(item, lease, bounds)
    workload, batch = item.workload, lease.conditions.batch
    shapes = _tensor_shapes(workload)
    return _first_above(
        ("operators", sum(len(segment.operators) for segment in workload.segments), bounds.max_operators),
        ("as the size of a dimension", max(map(max, shapes)), bounds.max_size),
        (
            "bytes of one activation",
            max(map(math.prod, shapes)) * batch * _FP32_BYTES,
            bounds.max_activation_bytes,
        ),
        ("multiply-accumulates a run", workload.macs * batch, bounds.max_macs),
    )


def _own_file_refusal(item: LeaseItem, lease: Lease, bounds: Bounds) -> str | None:
    """Return why a model file that somebody brought is refused; what it holds shows when it is loaded."""
    runtime, artifact = lease.conditions.runtime, item.artifact
    assert artifact is not None, "an item without a workload has a file"
    known = RUNTIMES.get(runtime)
    if known is None or not known.runs_own_files or known.model_format != artifact.format:
        able = [f"{each.name} ({each.model_format})" for each in RUNTIMES.values() if each.runs_own_files]
        return f"{runtime} runs no {artifact.format} file that is brought along; {' and '.join(able)} do"
    largest = max((math.prod(each.shape) for each in item.inputs), default=0)
    return _first_above(
        ("inputs", len(item.inputs), bounds.max_inputs),
        ("bytes of one input", largest * _LARGEST_ELEMENT_BYTES, bounds.max_activation_bytes),
    )


def _tensor_shapes(workload: Workload) -> list[Shape]:
    shapes = [workload.input_shape]
    for segment in workload.segments:
        for operator in segment.operators:
            shapes.append(operator.output_shape(shapes[-1]))
    return shapes


def _first_above(*limits: tuple[str, float, float]) -> str | None:
    for thing, value, limit in limits:
        if value > limit:
            return f"it asks for {value:,} {thing}, this agent allows {limit:,}; split it or ask for less"
    return None


def _listed(cores: tuple[int, ...]) -> str:
    return ",".join(map(str, cores))
