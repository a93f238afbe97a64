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
