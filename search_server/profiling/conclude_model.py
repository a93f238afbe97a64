"""What measuring a model ends with: its latency, and how that is spread over its nodes. Pure."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from search_server.latency.estimate.relative import relative_latencies
from search_server.profiling.evidence import Evidence, Failed, accepted_noise, reasons_of, remedy_of
from search_server.profiling.network_latencies import anchor_median_us
from search_server.profiling.plan import ANCHOR_ID
from search_server.resources.models import ModelLatency, NodeLatency, OperatorLatency
from shared.protocol.measurement import NodeSamples, Result

MODEL_ID = "model"
"""The item id of the model in its leases."""
NO_PROFILE = "the runtime has no profile of nodes that can be read: the time is known of the whole only"


def conclude_model(evidence: Evidence, now: datetime) -> ModelLatency | Failed:
    """Return the latency of a model and of its nodes.

    Args:
        evidence: the results of all leases.
        now: stands in for a result's own time where it has none.
    """
    relative = relative_latencies(evidence.results, ANCHOR_ID).get(MODEL_ID)
    results = [result for result in evidence.results if result.item_id == MODEL_ID]
    if relative is None:
        return Failed(
            f"the model could not be measured: {reasons_of(results) or reasons_of(evidence.results)}"
            f"{remedy_of(evidence.results)}"
        )
    counted = [result for result in results if result.status == "ok"]
    anchor_us = anchor_median_us(evidence.results)
    latency_us = relative.ratio * anchor_us
    profiled_us = [us for result in counted for us in result.profiled_wall_us]
    nodes = node_latencies([result.nodes for result in counted], latency_us)
    item = next(item for item in evidence.items if item.item_id == MODEL_ID)
    remarks = sorted({result.reason for result in counted if result.reason})
    noise = accepted_noise(evidence.windows)
    return ModelLatency(
        latency_us=latency_us,
        low_us=relative.low * anchor_us,
        high_us=relative.high * anchor_us,
        raw_latency_us=relative.raw_us,
        anchor_us=anchor_us,
        anchor=evidence.space,
        num_samples=relative.num_samples,
        measured_at=evidence.measured_at(counted, now),
        runtime_version=_version(counted),
        inputs=item.inputs,
        profiled_us=statistics.median(profiled_us) if profiled_us and nodes else None,
        nodes=nodes,
        operators=operator_latencies(nodes),
        note="; ".join([*remarks, *([noise] if noise else []), *([] if nodes else [NO_PROFILE])]),
    )


def node_latencies(windows: Sequence[Sequence[NodeSamples]], latency_us: float) -> tuple[NodeLatency, ...]:
    """Return the nodes of a model: the median over its windows of the median of each.

    Args:
        windows: the nodes of each lease.
        latency_us: of the whole model without the profiler, which the nodes share.
    """
    first: dict[str, NodeSamples] = {}
    medians: dict[str, list[float]] = defaultdict(list)
    num_runs: dict[str, int] = defaultdict(int)
    for node in (node for window in windows for node in window if node.wall_us):
        first.setdefault(node.name, node)
        medians[node.name].append(statistics.median(node.wall_us))
        num_runs[node.name] += len(node.wall_us)
    profiled_us = {name: statistics.median(each) for name, each in medians.items()}
    total_us = sum(profiled_us.values()) or 1.0
    return tuple(
        NodeLatency(
            node=name,
            op_type=node.op_type,
            shapes=node.shapes,
            latency_us=latency_us * profiled_us[name] / total_us,
            share=profiled_us[name] / total_us,
            profiled_us=profiled_us[name],
            num_runs=num_runs[name],
        )
        for name, node in first.items()
    )


def operator_latencies(nodes: Iterable[NodeLatency]) -> tuple[OperatorLatency, ...]:
    """Return the nodes by type, the slowest type first."""
    by_type: dict[str, list[NodeLatency]] = defaultdict(list)
    for node in nodes:
        by_type[node.op_type].append(node)
    operators = [
        OperatorLatency(op_type, len(each), sum(n.latency_us for n in each), sum(n.share for n in each))
        for op_type, each in by_type.items()
    ]
    return tuple(sorted(operators, key=lambda operator: -operator.latency_us))


def _version(results: Iterable[Result]) -> str | None:
    return next((result.runtime_version for result in results if result.runtime_version), None)
