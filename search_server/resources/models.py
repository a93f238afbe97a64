"""Model files that people bring: what they are, as the server read it without running them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from search_server.resources.jobs import Job
from search_server.resources.tabular import Tabular
from shared.protocol.device import Conditions
from shared.protocol.measurement import ModelInput

ModelFormat = Literal["onnx", "tflite"]

MAX_MODEL_BYTES = 512 << 20
PART_BYTES = 8 << 20
"""What a client sends at once; below the usual limit of a request's body."""


@dataclass(frozen=True, slots=True)
class ModelTensor:
    """An input or an output of a model."""

    name: str
    dtype: str
    """Such as ``float32``."""
    shape: tuple[int | None, ...]
    """None: the size is left open until the model is measured."""


@dataclass(frozen=True, slots=True)
class OperatorCount:
    """How often a model has an operator."""

    op_type: str
    """Such as ``Conv``; operators of another domain than ONNX's own have it in front."""
    count: int


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a model file says of itself."""

    version: str
    """Of the format, such as ``IR 8, opset 17``."""
    producer: str
    inputs: tuple[ModelTensor, ...]
    outputs: tuple[ModelTensor, ...]
    dtype: str
    """``int8`` if weights or operators are quantised to 8 bits, else ``fp32``."""
    num_nodes: int
    num_params: int
    operators: tuple[OperatorCount, ...]
    """The most frequent first."""


@dataclass(frozen=True, slots=True)
class ModelUpload:
    """How much of a file the server has; the next part begins there."""

    sha256: str
    received_bytes: int
    is_stored: bool = False
    """A file of this hash has been checked and kept before: no part need be sent."""


@dataclass(frozen=True, slots=True)
class ModelCreate:
    """All parts of a file have been sent: check it, and keep it under a name."""

    name: str
    format: ModelFormat
    sha256: str
    """64 lower-case hex digits: of the whole file."""
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Model:
    """A model file that can be measured."""

    model_id: str
    name: str
    """Unique among the models that are not removed; commands take it in place of the id."""
    format: ModelFormat
    sha256: str
    size_bytes: int
    facts: ModelFacts
    created_at: str
    owner: str = "shared"
    """The user who brought it."""


@dataclass(frozen=True, slots=True)
class ModelMeasurementCreate:
    """Measure a model on a device, against the project's anchor network."""

    device: str
    conditions: Conditions = Conditions()
    inputs: tuple[ModelInput, ...] = ()
    """Shapes of inputs whose sizes are open; those that are not named get 1, and the batch in front."""
    private: bool = False
    """Only you and administrators find the job."""
    accept_noise: bool = False
    """Take a slow or restless device as it is; the latency's note says so."""

    def __post_init__(self) -> None:
        # The usual accelerator by its name is the same as none.
        object.__setattr__(self, "conditions", self.conditions.usual_unsaid())


@dataclass(frozen=True, slots=True)
class NodeLatency:
    """One node of the graph that the runtime made of a model."""

    node: str
    op_type: str
    shapes: str
    """Of its inputs and outputs, such as ``1x3x32x32 8x3x3x3 -> 1x8x32x32``."""
    latency_us: float
    """Its share of the whole model's latency."""
    share: float
    """0..1: its time under the profiler over that of all nodes."""
    profiled_us: float
    """Median time under the runtime's profiler, as it was."""
    num_runs: int


@dataclass(frozen=True, slots=True)
class OperatorLatency:
    """All nodes of one type together."""

    op_type: str
    num_nodes: int
    latency_us: float
    share: float


@dataclass(frozen=True, slots=True)
class ModelLatency:
    """A model as measured on a device."""

    latency_us: float
    """The median ratio to the anchor right before, times the anchor's median."""
    low_us: float
    high_us: float
    """A 90 % interval of ``latency_us``."""
    raw_latency_us: float
    """Median wall time as it was."""
    anchor_us: float
    anchor: str
    """The space whose anchor network was the yardstick."""
    num_samples: int
    measured_at: str
    runtime_version: str | None
    inputs: tuple[ModelInput, ...]
    profiled_us: float | None = None
    """Median of a whole run under the runtime's profiler; None: the runtime has none that can be read."""
    nodes: tuple[NodeLatency, ...] = ()
    """In the order in which they run; left out of lists."""
    operators: tuple[OperatorLatency, ...] = ()
    """The slowest first."""
    note: str = ""
    """What a reader should know."""

    @property
    def profiler_cost(self) -> float | None:
        """By how much a run is longer under the profiler: 0.1 is 10 %."""
        return None if self.profiled_us is None else self.profiled_us / self.raw_latency_us - 1

    def without_nodes(self) -> "ModelLatency":
        """Return what stands in lists."""
        return replace(self, nodes=())


@dataclass(frozen=True, slots=True)
class ModelMeasurement(Tabular):
    """A job that measures a model, and what came of it."""

    job: Job
    model_id: str
    model_name: str
    latency: ModelLatency | None = None

    def table_rows(self) -> Iterable[object]:
        """Return the nodes; a list of measurements leaves them out."""
        return self.latency.nodes if self.latency else ()

    @property
    def table_caption(self) -> str:
        return f"{self.model_name} · {self.job.device_name} · {self.job.conditions} · {self.job.status}"


GateOutcome = Literal["passed", "slower", "undecided"]


@dataclass(frozen=True, slots=True)
class GateCreate:
    """Is a new model slower than an old one on a device?"""

    device: str
    new: str
    """Name or id of a model."""
    old: str
    fail_above: float = 0.02
    """How much slower the new one may be: 0.02 is 2 %."""
    conditions: Conditions = Conditions()
    inputs: tuple[ModelInput, ...] = ()
    """Shapes of open sizes, for both models."""
    private: bool = False
    """Only you and administrators find the job."""
    accept_noise: bool = False
    """Take a slow or restless device as it is; the verdict's note says so."""

    def __post_init__(self) -> None:
        # The usual accelerator by its name is the same as none.
        object.__setattr__(self, "conditions", self.conditions.usual_unsaid())
        if not 0 <= self.fail_above <= 10:
            raise ValueError(f"fail_above must lie in 0..10, got {self.fail_above}; 0.02 is 2 %")


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What a gate found; see ``search_server/profiling/conclude_gate.py`` for the rule."""

    outcome: GateOutcome
    ratio: float
    """New over old: 1.02 is 2 % slower."""
    low: float
    high: float
    """The new model is slower than ``low`` with 95 % confidence, and faster than ``high`` with as much."""
    window_ratios: tuple[float, ...]
    """Of each window, which is a process of its own."""
    old_us: float
    new_us: float
    """Median wall times as they were."""
    note: str = ""
    """What a reader should know, such as that noise was accepted."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A job that compares two models, and what came of it."""

    job: Job
    new: str
    old: str
    fail_above: float
    verdict: GateVerdict | None = None


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
