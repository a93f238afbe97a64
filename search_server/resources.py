"""The resources of the REST interface as plain data: routes answer with them, the client reads them.

Latencies are microseconds, times are UTC in ISO 8601, identifiers are opaque strings. A class named
``*Create`` or ``*Update`` is a request body; all others are answers.
"""

from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from shared.device import Conditions, Device, Environment
from shared.device import DeviceCreate as DeviceCreate
from shared.device import DeviceCredential as DeviceCredential

T = TypeVar("T")

JobStatus = Literal["queued", "running", "done", "failed", "cancelled"]
LossName = Literal["fbnet", "budget"]
PathsName = Literal["soft", "one", "two"]
Role = Literal["found", "uniform", "random"]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list; ``next_cursor`` fetches the rest and is None at the end."""

    items: tuple[T, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class DeviceUpdate:
    """New values for what a person may change; None leaves a value as it is."""

    name: str | None = None
    agent_url: str | None = None
    """Empty: the agent dials out."""
    agent_token: str | None = None
    """What the server shows to an agent that it calls; kept, never answered. Empty: none."""


@dataclass(frozen=True, slots=True)
class DeviceResource:
    """A device as the server knows it."""

    device_id: str
    name: str
    """Unique among the devices that are not removed; commands take it in place of the id."""
    device: Device
    agent_url: str | None
    enrolled_at: str
    last_seen_at: str | None
    is_online: bool
    """It polled, sent a heartbeat or answered within the last 60 s."""
    current_job_id: str | None = None
    environment: Environment = Environment()
    """As of ``last_seen_at``."""
    is_imported: bool = False
    """Known from an imported table only: it has no agent, nothing can be measured on it."""


@dataclass(frozen=True, slots=True)
class ProfileCreate:
    """Measure what the latency table of a space lacks on a device."""

    device: str
    """Id or name."""
    space: str
    conditions: Conditions = Conditions()
    force: bool = False
    """Measure again even where a valid table exists."""


@dataclass(frozen=True, slots=True)
class MeasurementCreate:
    """Measure whole networks on a device, against the anchor of their space."""

    device: str
    space: str
    architectures: tuple[str, ...]
    conditions: Conditions = Conditions()


@dataclass(frozen=True, slots=True)
class MeasuredLatency:
    """A whole network as measured on the device."""

    architecture: str
    """Blocks separated by commas."""
    latency_us: float
    """Level of the space's reference snapshot: ratio to the anchor times the snapshot's anchor."""
    raw_latency_us: float
    """Median wall time as it was, at the device's level of the moment."""
    low_us: float
    high_us: float
    """A 90 % interval of ``latency_us``."""
    num_samples: int
    measured_at: str
    status: str = "ok"
    is_simulated: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Is a table good enough to be used, and why not."""

    is_accepted: bool
    reasons: tuple[str, ...]
    """What speaks against it, each with figure and limit; empty if accepted."""
    cover_scatter: float
    """Relative scatter of measured over predicted latency of the cover networks."""
    repeat_median: float
    """Median over entries of the relative difference between odd and even rounds."""
    repeat_p95: float
    noise_ceiling: float
    """Relative error that even a perfect table would show on this device, from repeated runs."""
    anchor_spread: float
    """Median over minimum of the anchor's runs."""


@dataclass(frozen=True, slots=True)
class Job:
    """Long work of one of three kinds, with its progress."""

    job_id: str
    kind: Literal["profile", "measurement", "search"]
    status: JobStatus
    device_id: str
    device_name: str
    space: str
    conditions: Conditions
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    progress: float = 0.0
    """0..1."""
    message: str = ""
    """What happens now, or why it failed and what to do."""
    parent_job_id: str | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile job and the table that came of it."""

    job: Job
    num_entries: int
    device_time_s: float
    snapshot: str | None = None
    verdict: Verdict | None = None
    is_reused: bool = False
    """A valid table existed; nothing was measured."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measurement job and its latencies."""

    job: Job
    latencies: tuple[MeasuredLatency, ...] = ()


@dataclass(frozen=True, slots=True)
class TableCell:
    """One entry of a latency table; a cell that lacks a measurement has no latency."""

    layer: str
    """``stem``, ``layer01`` ..., ``head``."""
    block: str
    """Candidate name; empty for stem and head."""
    key: str
    latency_us: float | None
    sigma_us: float | None
    """Standard error of ``latency_us``."""
    num_samples: int
    status: str = "ok"


@dataclass(frozen=True, slots=True)
class TableSummary:
    """A latency-table snapshot without its cells."""

    snapshot: str
    """Hash of the content; the identity that a search quotes."""
    device_id: str
    device_name: str
    space: str
    conditions: Conditions
    created_at: str
    anchor_us: float
    num_entries: int
    num_measured: int
    verdict: Verdict | None
    is_simulated: bool = False
    source: str = "measured"
    """``measured``, or where an imported table came from."""


@dataclass(frozen=True, slots=True)
class Table:
    """A whole latency-table snapshot."""

    summary: TableSummary
    cells: tuple[TableCell, ...]


@dataclass(frozen=True, slots=True)
class CellDiff:
    """One cell of two tables, and how its candidate ranks in its layer (0 is the fastest)."""

    layer: str
    block: str
    a_us: float | None
    b_us: float | None
    ratio: float | None
    """``b_us / a_us``; None where a table lacks the cell or it costs nothing."""
    rank_a: int | None = None
    rank_b: int | None = None


@dataclass(frozen=True, slots=True)
class TableDiff:
    """Two snapshots of one space, cell by cell."""

    a: TableSummary
    b: TableSummary
    cells: tuple[CellDiff, ...]
    ratio_median: float
    """Median of the cells' ratios: how much slower ``b`` is as a whole."""
    rank_correlation: float
    """Spearman's, over the cells that both tables have, -1..1."""
    num_rank_changes: int
    """Cells whose candidate ranks differently in its layer."""


@dataclass(frozen=True, slots=True)
class PredictionCreate:
    """Predict whole networks from a table."""

    device: str
    space: str
    architectures: tuple[str, ...]
    conditions: Conditions = Conditions()
    snapshot: str | None = None
    """None: the newest accepted snapshot."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A predicted, not measured, latency."""

    architecture: str
    latency_us: float
    low_us: float
    high_us: float
    """A 90 % interval."""
    snapshot: str
    is_simulated: bool = False


@dataclass(frozen=True, slots=True)
class SearchCreate:
    """Search a space for networks within a latency on a device."""

    device: str
    space: str
    data: str
    """A data set known by name, or a folder on the server."""
    target_ms: float | None = None
    """None: the loss alone decides (only with loss ``fbnet``)."""
    loss: LossName = "budget"
    paths: PathsName = "one"
    epochs: int = 20
    warmup_epochs: int = 4
    train_epochs: int = 30
    """Epochs of the short training from scratch of each network that is compared."""
    batch_size: int = 64
    num_samples: int = 6
    """Networks drawn from the found distribution and ranked."""
    seed: int = 0
    conditions: Conditions = Conditions()
    snapshot: str | None = None
    compare_baselines: bool = True
    """Also train and measure a uniform and a random network near the same latency."""

    def __post_init__(self) -> None:
        if self.target_ms is not None and self.target_ms <= 0:
            raise ValueError(f"target_ms must be above 0, got {self.target_ms}")
        if self.loss == "budget" and self.target_ms is None:
            raise ValueError("loss 'budget' needs target_ms; give a target, or use loss 'fbnet'")
        if not 1 <= self.epochs <= 10_000:
            raise ValueError(f"epochs must lie in 1..10000, got {self.epochs}")
        if not 0 <= self.warmup_epochs < self.epochs:
            raise ValueError(
                f"warmup_epochs must lie in 0..{self.epochs - 1} (below epochs), got {self.warmup_epochs}"
            )
        if not 1 <= self.train_epochs <= 10_000:
            raise ValueError(f"train_epochs must lie in 1..10000, got {self.train_epochs}")
        if not 2 <= self.batch_size <= 8192:
            raise ValueError(f"batch_size must lie in 2..8192, got {self.batch_size}")
        if not 1 <= self.num_samples <= 100:
            raise ValueError(f"num_samples must lie in 1..100, got {self.num_samples}")


@dataclass(frozen=True, slots=True)
class SearchStep:
    """One recorded step of a search: an epoch, with means over it."""

    step: int
    epoch: int
    phase: Literal["warmup", "search"]
    weight_loss: float
    """Cross entropy on the split that trains weights."""
    theta_loss: float | None
    """The loss that theta follows; None during warm-up."""
    accuracy: float
    """Share of correct answers of the sampled paths on the theta split, 0..1."""
    expected_latency_us: float
    entropy: float
    """Mean over layers of the entropy of softmax(theta), nats."""
    tau: float
    images_per_s: float
    theta: tuple[tuple[float, ...], ...]
    """softmax(theta), layers x candidates."""


@dataclass(frozen=True, slots=True)
class FoundArchitecture:
    """A network that a search compared: found, or a baseline trained and measured alike."""

    role: Role
    architecture: str
    macs: int
    params: int
    predicted_us: float
    measured_us: float | None = None
    """Level of the snapshot that the search used, like ``predicted_us``."""
    validation_accuracy: float | None = None
    test_accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """A search job, what was asked and what was found."""

    job: Job
    request: SearchCreate
    snapshot: str | None = None
    """Hash of the latency table that the search used."""
    stage: str = ""
    """The line of the pipeline it is at."""
    result: FoundArchitecture | None = None
    architectures: tuple[FoundArchitecture, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set that the server knows by name."""

    name: str
    num_images: int | None
    num_classes: int | None
    is_available: bool
    hint: str
    """Where it comes from, or how to get it."""
