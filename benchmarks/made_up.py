"""What pages show, made up for a space: a table, the steps of a search, its networks, a measured model.

Nothing of it was measured, and it says so: runtime and tables are "simulated".
"""

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime

import onnx

from search_server.latency.table import LatencyTable, TableEntry
from search_server.latency.verdict import Verdict
from search_server.profiling.conclude_model import operator_latencies
from search_server.resources.found_networks import FoundArchitecture, Role
from search_server.resources.models import ModelLatency, NodeLatency
from search_server.resources.searches import SearchStep
from shared.architecture import Architecture, anchor_architecture, random_architecture, uniform_architecture
from shared.macro_architecture import PlacedSegment, SearchSpace
from shared.protocol.device import Conditions, Device, RuntimeInfo
from shared.workload import IDENTITY_KEY

CONDITIONS = Conditions(runtime="simulated", runtime_version="1")
MACS_PER_US = 15_000.0
SEGMENT_US = 4.0
"""What a segment takes however little it computes."""
WARMUP_SHARE = 0.2
SHARPEST = 7.0
"""Log of how much likelier than another one the preferred block of a layer becomes."""


def made_up_device(name: str) -> Device:
    """Return the facts of a board that simulates."""
    return Device(
        name=name,
        system="Linux 6.1.0",
        machine="aarch64",
        platform="linux-aarch64",
        num_cores=8,
        cpu_model="made-up board",
        core_max_khz=(1_800_000,) * 4 + (2_400_000,) * 4,
        memory_bytes=8 * 2**30,
        python_version="3.11.2",
        agent_version="0.1.0",
        runtimes=(RuntimeInfo("simulated", "1"),),
    )


def made_up_table(space: SearchSpace, device_id: str, level: float = 1.0) -> LatencyTable:
    """Return a whole table whose latencies follow multiply-accumulates; ``level`` times as slow."""
    latencies_us = {placed.key: _segment_us(placed) for placed in space.segments()}
    latencies_us.pop(IDENTITY_KEY, None)
    anchor_us = sum(
        latencies_us.get(key, 0.0) for key in anchor_architecture(space).workload().segment_keys()
    )
    entries = {
        key: TableEntry(us / anchor_us, 0.02 * us / anchor_us, 24) for key, us in latencies_us.items()
    }
    return LatencyTable(
        space=space.name,
        device_id=device_id,
        conditions=CONDITIONS,
        anchor_us=level * anchor_us,
        entries=entries,
        network_sigma=0.01,
        created_at=datetime.now(UTC).isoformat(),
        verdict=Verdict(True, (), 0.011, 0.014, 0.038, 0.0099, 1.12),
        is_simulated=True,
    )


def made_up_networks(table: LatencyTable, space: SearchSpace, seed: int) -> tuple[FoundArchitecture, ...]:
    """Return a found network, one that was drawn beside it, and the baselines."""
    generator = random.Random(seed)
    drawn: tuple[tuple[Role, Architecture, float | None], ...] = (
        ("found", random_architecture(space, generator), 0.921),
        ("found", random_architecture(space, generator), None),
        ("uniform", uniform_architecture(space, "k3_e3"), 0.904),
        ("uniform", uniform_architecture(space, "k5_e6"), 0.917),
        ("random", random_architecture(space, generator), 0.898),
        ("random", random_architecture(space, generator), 0.909),
    )
    return tuple(_network(table, role, blocks, accuracy, generator) for role, blocks, accuracy in drawn)


def made_up_steps(
    space: SearchSpace, found: FoundArchitecture, num_steps: int, seed: int
) -> Iterator[SearchStep]:
    """Yield the steps of a search that comes to decide for a network."""
    generator = random.Random(seed)
    preferred = [space.candidates.index(block) for block in found.architecture.split(",")]
    num_warmup = round(WARMUP_SHARE * num_steps)
    for step in range(num_steps):
        done = step / num_steps
        is_warmup = step < num_warmup
        decided = 0.0 if is_warmup else (done - WARMUP_SHARE) / (1 - WARMUP_SHARE)
        theta = tuple(
            _probabilities(SHARPEST * decided, index, len(space.candidates), generator)
            for index in preferred
        )
        noise = generator.gauss(0.0, 0.012)
        yield SearchStep(
            step=step,
            epoch=step,
            phase="warmup" if is_warmup else "search",
            weight_loss=(0.3 + 2.0 * math.exp(-4 * done)) * (1 + noise),
            theta_loss=None if is_warmup else (0.4 + 1.9 * math.exp(-3.5 * done)) * (1 + noise),
            accuracy=min(1.0, (0.92 - 0.8 * math.exp(-6 * done)) * (1 + noise / 3)),
            expected_latency_us=found.predicted_us * (1.0 + 0.6 * math.exp(-5 * decided)) * (1 + noise),
            entropy=sum(-sum(p * math.log(p) for p in row if p) for row in theta) / len(theta),
            tau=5.0 * math.exp(-4 * done),
            images_per_s=2100.0 * (1 + noise),
            theta=theta,
        )


def made_up_model_latency(content: bytes, latency_us: float, seed: int) -> ModelLatency:
    """Return what measuring an ONNX file could have given, node by node."""
    generator = random.Random(seed)
    nodes = onnx.load_from_string(content).graph.node
    weights = [generator.lognormvariate(1.5 if node.op_type == "Conv" else 0.0, 0.8) for node in nodes]
    told = tuple(
        NodeLatency(
            node=node.name or f"{node.op_type}_{index}",
            op_type=node.op_type,
            shapes="",
            latency_us=latency_us * weight / sum(weights),
            share=weight / sum(weights),
            profiled_us=1.1 * latency_us * weight / sum(weights),
            num_runs=40,
        )
        for index, (node, weight) in enumerate(zip(nodes, weights, strict=True))
    )
    return ModelLatency(
        latency_us=latency_us,
        low_us=0.99 * latency_us,
        high_us=1.012 * latency_us,
        raw_latency_us=latency_us,
        anchor_us=latency_us,
        anchor="fbnet-tiny",
        num_samples=240,
        measured_at=datetime.now(UTC).isoformat(),
        runtime_version="1",
        inputs=(),
        profiled_us=1.1 * latency_us,
        nodes=told,
        operators=operator_latencies(told),
        note="simulated: drawn, not measured",
    )


def _segment_us(placed: PlacedSegment) -> float:
    own = random.Random(placed.key).uniform(0.9, 1.15)
    return own * (SEGMENT_US + placed.segment.macs(placed.input_shape) / MACS_PER_US)


def _network(
    table: LatencyTable, role: Role, blocks: Architecture, accuracy: float | None, generator: random.Random
) -> FoundArchitecture:
    workload, predicted_us = blocks.workload(), table.predict(blocks).latency_us
    return FoundArchitecture(
        role=role,
        architecture=str(blocks),
        macs=workload.macs,
        params=workload.num_params,
        predicted_us=predicted_us,
        measured_us=predicted_us * generator.gauss(1.0, 0.012),
        validation_accuracy=None if accuracy is None else accuracy + 0.004,
        test_accuracy=accuracy,
    )


def _probabilities(
    sharpness: float, preferred: int, num_candidates: int, generator: random.Random
) -> tuple[float, ...]:
    weights = [
        math.exp(sharpness * (1.0 if index == preferred else 0.6 * generator.random()))
        for index in range(num_candidates)
    ]
    return tuple(weight / sum(weights) for weight in weights)
