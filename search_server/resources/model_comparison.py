"""Two measurements of models side by side, as a whole, by type of operator and by node."""

from dataclasses import dataclass, replace

from search_server.resources.models import ModelMeasurement


@dataclass(frozen=True, slots=True)
class OperatorDifference:
    """One type of operator in two measurements; None where one has none of it."""

    op_type: str
    a_us: float | None
    b_us: float | None


@dataclass(frozen=True, slots=True)
class NodeDifference:
    """A node that both measurements have by the same name and type."""

    node: str
    op_type: str
    a_us: float
    b_us: float


@dataclass(frozen=True, slots=True)
class ModelComparison:
    """Two measurements side by side: two models on a device, or one model on two devices."""

    a: ModelMeasurement
    b: ModelMeasurement
    ratio: float
    """Latency of b over that of a."""
    low: float
    high: float
    """At least a 90 % interval, from the intervals of both."""
    operators: tuple[OperatorDifference, ...]
    """Those with the largest difference first."""
    nodes: tuple[NodeDifference, ...]
    note: str = ""


def compare_measurements(a: ModelMeasurement, b: ModelMeasurement) -> ModelComparison:
    """Return two measurements side by side.

    Raises:
        ValueError: one of them has no latency.
    """
    for each in (a, b):
        if each.latency is None:
            raise ValueError(f"job {each.job.job_id} has no latency: it is {each.job.status}")
    assert a.latency is not None
    assert b.latency is not None
    of_a = {each.op_type: each.latency_us for each in a.latency.operators}
    of_b = {each.op_type: each.latency_us for each in b.latency.operators}
    operators = [OperatorDifference(op, of_a.get(op), of_b.get(op)) for op in {**of_a, **of_b}]
    b_nodes = {(node.node, node.op_type): node.latency_us for node in b.latency.nodes}
    nodes = tuple(
        NodeDifference(node.node, node.op_type, node.latency_us, b_nodes[node.node, node.op_type])
        for node in a.latency.nodes
        if (node.node, node.op_type) in b_nodes
    )
    is_unlike = a.job.conditions != b.job.conditions
    return ModelComparison(
        a=replace(a, latency=a.latency.without_nodes()),
        b=replace(b, latency=b.latency.without_nodes()),
        ratio=b.latency.latency_us / a.latency.latency_us,
        low=b.latency.low_us / a.latency.high_us,
        high=b.latency.high_us / a.latency.low_us,
        operators=tuple(sorted(operators, key=lambda o: -abs((o.b_us or 0) - (o.a_us or 0)))),
        nodes=tuple(sorted(nodes, key=lambda n: -abs(n.b_us - n.a_us))),
        note=f"unlike conditions: {a.job.conditions}; {b.job.conditions}" if is_unlike else "",
    )
