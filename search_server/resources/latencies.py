"""Latencies of whole networks: measured and predicted."""

from collections.abc import Iterable
from dataclasses import dataclass

from search_server.resources.jobs import Job, require_job_name
from search_server.resources.tabular import Tabular
from shared.protocol.device import Conditions


@dataclass(frozen=True, slots=True)
class PredictionCreate:
    """Predict whole networks from a table."""

    device: str
    space: str
    architectures: tuple[str, ...]
    conditions: Conditions | None = None
    """None: the usual ones; for a device without an agent those of its tables, if they are alike."""
    snapshot: str | None = None
    """None: the newest accepted snapshot."""

    def __post_init__(self) -> None:
        if self.conditions is not None:
            # The usual accelerator by its name is the same as none.
            object.__setattr__(self, "conditions", self.conditions.usual_unsaid())


@dataclass(frozen=True, slots=True)
class Prediction:
    """A predicted, not measured, latency."""

    architecture: str
    latency_us: float
    low_us: float | None
    high_us: float | None
    """A 90 % interval; None: unknown, since the table does not tell the error of its cells."""
    snapshot: str
    is_simulated: bool = False
    batch: int = 1
    """Images that ``latency_us`` is for."""


@dataclass(frozen=True, slots=True)
class NamedPrediction:
    """What a table says of a network that has a name: a published one, or one block in every layer.

    Its stem and head are those of the table's space.
    """

    name: str
    architecture: str
    macs: int
    """Multiply-accumulates for one image."""
    params: int
    latency_us: float | None
    """Predicted, not measured; None: the table lacks a cell of it."""
    low_us: float | None
    high_us: float | None
    """A 90 % interval; None: unknown."""


@dataclass(frozen=True, slots=True)
class MeasurementCreate:
    """Measure whole networks on a device, against the anchor of their space."""

    device: str
    space: str
    architectures: tuple[str, ...]
    conditions: Conditions = Conditions()
    file: str | None = None
    """SHA-256 of a stored model file, measured in the place of the timing model of the one network."""
    accept_noise: bool = False
    """Take a slow or restless device as it is; the latencies say so."""
    private: bool = False
    """Only you and administrators find the job."""
    name: str = ""
    """What people call the job."""

    def __post_init__(self) -> None:
        require_job_name(self.name)
        # The usual accelerator by its name is the same as none.
        object.__setattr__(self, "conditions", self.conditions.usual_unsaid())


@dataclass(frozen=True, slots=True)
class MeasuredLatency:
    """A whole network as measured on the device."""

    architecture: str
    """Blocks separated by commas."""
    latency_us: float
    """Level of the space's reference snapshot: ratio to the anchor times the snapshot's anchor."""
    raw_latency_us: float
    """Median wall time as it was, at the device's level of the moment."""
    low_us: float | None
    high_us: float | None
    """A 90 % interval of ``latency_us``; None: unknown, as in an import, whose error nobody told."""
    num_samples: int
    measured_at: str
    status: str = "ok"
    is_simulated: bool = False
    cpu_us: float | None = None
    """Median CPU time of a run; far below ``raw_latency_us``, runs waited for a core or an accelerator."""
    switches_per_run: float | None = None
    """How often other programs took the core from a run, on average."""
    faults_per_run: float | None = None
    """Minor page faults of a run, on average."""
    source: str = "measured"
    """``measured``, or what an import came from."""
    file: str | None = None
    """SHA-256 of the model file that was measured in the place of the timing model; then there is no
    prediction."""
    prediction: Prediction | None = None
    """What the reference snapshot said when the network was measured; None if there was none."""
    noise: str | None = None
    """Why it would have been refused, had the request not accepted noise."""

    @property
    def difference(self) -> float | None:
        """How much slower than predicted: 0.02 is 2 %."""
        return self.latency_us / self.prediction.latency_us - 1 if self.prediction else None

    @property
    def is_inside(self) -> bool | None:
        """Whether the measured latency lies in the interval that was predicted; None without one."""
        predicted = self.prediction
        if predicted is None or predicted.low_us is None or predicted.high_us is None:
            return None
        return predicted.low_us <= self.latency_us <= predicted.high_us


@dataclass(frozen=True, slots=True)
class Measurement(Tabular):
    """A measurement job and its latencies."""

    job: Job
    latencies: tuple[MeasuredLatency, ...] = ()

    def table_rows(self) -> Iterable[object]:
        """Return the latencies."""
        return self.latencies

    @property
    def table_caption(self) -> str:
        return f"{self.job.device_name} · {self.job.space} · {self.job.conditions} · {self.job.status}"
