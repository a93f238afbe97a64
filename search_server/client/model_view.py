"""Models, their latencies and those of their nodes, for people and for programs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rich.table import Table as Grid

from search_server.client.grid import grid
from search_server.client.show import count, in_ms, interval, microseconds, milliseconds, share
from search_server.resources.model_comparison import ModelComparison, NodeDifference
from search_server.resources.models import Model, ModelLatency, ModelMeasurement, ModelTensor, NodeLatency
from shared.protocol.device import Conditions
from shared.protocol.measurement import ModelInput
from shared.runtimes import RUNTIMES


def model_facts(model: Model) -> dict[str, str]:
    """Return what a model is."""
    facts = model.facts
    operators = [f"{entry.op_type} {entry.count}" for entry in facts.operators]
    rest = f" and {len(operators) - 8} more" if len(operators) > 8 else ""
    return {
        "name": model.name,
        "id": model.model_id,
        "file": f"{model.format}, {facts.version}, {model.size_bytes:,} bytes, {facts.dtype}",
        "sha256": model.sha256,
        "producer": facts.producer or "not told",
        "inputs": "; ".join(map(_tensor_text, facts.inputs)) or "none",
        "outputs": "; ".join(map(_tensor_text, facts.outputs)) or "none",
        "nodes": f"{facts.num_nodes:,}: {', '.join(operators[:8])}{rest}",
        "parameters": count(facts.num_params),
    }


def latency_facts(measured: ModelMeasurement, latency: ModelLatency) -> dict[str, str]:
    """Return what is known of the whole."""
    conditions = replace(measured.job.conditions, runtime_version=latency.runtime_version)
    rows = {
        "model": measured.model_name,
        "device": measured.job.device_name,
        "conditions": str(conditions),
        "inputs": ", ".join(map(input_text, latency.inputs)) or "none",
        "latency": f"{milliseconds(latency.latency_us)} ms "
        f"({interval(latency.low_us, latency.high_us)}, 90 %), {latency.num_samples} runs",
        "measured": f"{latency.measured_at}, job {measured.job.job_id}",
    }
    if latency.profiled_us is not None:
        rows["profiler"] = (
            f"a run takes {milliseconds(latency.profiled_us)} ms under it, "
            f"{share(latency.profiler_cost)} more; nodes share the latency above"
        )
    return {**rows, "note": latency.note} if latency.note else rows


def operators_grid(latency: ModelLatency) -> Grid:
    """Return one type of operator a line, the slowest first."""
    table = grid("operator", ">nodes", ">ms", ">share")
    for operator in latency.operators:
        table.add_row(
            operator.op_type,
            str(operator.num_nodes),
            milliseconds(operator.latency_us),
            share(operator.share),
        )
    return table


def nodes_grid(nodes: Sequence[NodeLatency]) -> Grid:
    """Return one node a line."""
    table = grid("node", "operator", ">us", ">share", "shapes")
    for node in nodes:
        table.add_row(
            node.node, node.op_type, microseconds(node.latency_us), share(node.share), node.shapes
        )
    return table


def slowest(latency: ModelLatency, num_nodes: int) -> tuple[NodeLatency, ...]:
    """Return the slowest nodes, the slowest first."""
    return tuple(sorted(latency.nodes, key=lambda node: -node.latency_us)[:num_nodes])


def measurement_document(measured: ModelMeasurement) -> dict[str, Any]:
    """Return what ``--json`` prints of a measurement."""
    latency = measured.latency
    return {
        "model": measured.model_name,
        "device": measured.job.device_name,
        "job": measured.job.job_id,
        "status": measured.job.status,
        "message": measured.job.message,
        "latency_ms": in_ms(latency.latency_us) if latency else None,
        "low_ms": in_ms(latency.low_us) if latency else None,
        "high_ms": in_ms(latency.high_us) if latency else None,
        "measurement": measured,
    }


def comparison_facts(found: ModelComparison) -> dict[str, str]:
    """Return both measurements and their ratio."""
    rows = {}
    for letter, measured in (("a", found.a), ("b", found.b)):
        latency_us = measured.latency.latency_us if measured.latency else None
        rows[letter] = (
            f"{measured.model_name} on {measured.job.device_name}: {milliseconds(latency_us)} ms, "
            f"job {measured.job.job_id}"
        )
    ratio = f"{found.ratio:.3f} ({found.low:.3f} .. {found.high:.3f}, at least 90 %)"
    return {**rows, "b over a": ratio, **({"note": found.note} if found.note else {})}


def differences_grid(found: ModelComparison) -> Grid:
    """Return one type of operator a line."""
    table = grid("operator", ">a ms", ">b ms", ">b - a ms")
    for each in found.operators:
        difference_us = (each.b_us or 0.0) - (each.a_us or 0.0)
        table.add_row(
            each.op_type, milliseconds(each.a_us), milliseconds(each.b_us), f"{difference_us / 1000:+.3f}"
        )
    return table


def node_differences_grid(nodes: Sequence[NodeDifference]) -> Grid:
    """Return one node a line."""
    table = grid("node in both", "operator", ">a us", ">b us", ">b - a us")
    for each in nodes:
        a, b = microseconds(each.a_us), microseconds(each.b_us)
        table.add_row(each.node, each.op_type, a, b, f"{each.b_us - each.a_us:+.1f}")
    return table


def input_text(given: ModelInput) -> str:
    """Return an input as ``--input`` takes it."""
    return f"{given.name}={'x'.join(map(str, given.shape)) or 'scalar'}"


def read_input(text: str) -> ModelInput:
    """Return the input that ``--input`` names.

    Raises:
        ValueError: it does not look like ``name=1x3x224x224``.
    """
    name, equals, sizes = text.rpartition("=")
    try:
        shape = () if sizes == "scalar" else tuple(int(size) for size in sizes.split("x"))
    except ValueError:
        equals = ""
        shape = ()
    if not name or not equals:
        raise ValueError(f"--input must look like images=1x3x224x224, got {text!r}")
    return ModelInput(name, shape)


def fitting(conditions: Conditions, model: Model) -> Conditions:
    """Return conditions with the runtime and the dtype that a file has, where the usual ones do not fit."""
    usual = Conditions()
    if conditions.runtime == usual.runtime and RUNTIMES[usual.runtime].model_format != model.format:
        able = (r.name for r in RUNTIMES.values() if r.runs_own_files and r.model_format == model.format)
        conditions = replace(conditions, runtime=next(able, usual.runtime))
    if conditions.dtype == usual.dtype:
        conditions = replace(conditions, dtype=model.facts.dtype)
    return conditions


def _tensor_text(tensor: ModelTensor) -> str:
    """Return an input or output in one line; an open size is a question mark."""
    sizes = "x".join("?" if size is None else str(size) for size in tensor.shape) or "scalar"
    return f"{tensor.name} {tensor.dtype} {sizes}"
