"""What a device measured, run by run, as it sent it."""

from collections.abc import Iterable
from dataclasses import dataclass

from search_server.resources.tabular import Tabular
from shared.protocol.device import Conditions, Environment
from shared.protocol.measurement import Result


@dataclass(frozen=True, slots=True)
class JobLease:
    """One window of a job: a device measured some networks interleaved."""

    lease_id: str
    job_id: str
    """The job that asked for it; a profile also counts windows of an interrupted profile before it."""
    status: str
    """pending | leased | done | expired | cancelled."""
    num_items: int
    num_hand_outs: int
    """How often the lease was given to the device; only what the last time gave counts."""
    device_s: float
    """Time that it took on the device, loading and warm-up included."""
    created_at: str
    leased_at: str | None = None
    """When it was handed out last."""
    finished_at: str | None = None


@dataclass(frozen=True, slots=True)
class Quantiles:
    """What is left of samples, in microseconds."""

    num_samples: int
    q10_us: float
    median_us: float
    q90_us: float


@dataclass(frozen=True, slots=True)
class SampleSummary:
    """What is left of a network's samples in one window once they were compacted."""

    runs: Quantiles | None
    """None if it never ran."""
    profiled_runs: Quantiles | None
    """The same under the runtime's node profiler."""


@dataclass(frozen=True, slots=True)
class ItemSamples:
    """One network in one window."""

    item_id: str
    architecture: str | None
    """Blocks separated by commas; None if the network is none of the job's space."""
    is_anchor: bool
    is_profiled: bool
    """Whether it also ran under the runtime's node profiler."""
    received_at: str
    """When the server got the result."""
    result: Result
    """Runs, node times and everything else that the agent told."""
    summary: SampleSummary | None = None
    """Stands for runs and node times where the server has given them up because of their age."""


@dataclass(frozen=True, slots=True)
class LeaseSamples:
    """All that one lease gave, network by network, in the order in which results came."""

    lease: JobLease
    device_id: str
    device_name: str
    space: str
    conditions: Conditions
    """As asked for; each result tells the runtime's version."""
    items: tuple[ItemSamples, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """How some times lie, in microseconds."""

    num_samples: int
    min_us: float
    p10_us: float
    p50_us: float
    p90_us: float
    cv: float
    """Standard deviation over mean."""


@dataclass(frozen=True, slots=True)
class CellSpread:
    """How the samples of one cell of a latency table lie."""

    layer: str
    block: str
    spread: Spread | None
    """As in :class:`CellSamples`."""


@dataclass(frozen=True, slots=True)
class CellWindow:
    """One network that holds a cell, in one window."""

    lease_id: str
    item_id: str
    layer: str
    """Where the cell stands in the network; cells that compute the same share their latency."""
    started_at: str
    """UTC, ISO 8601; empty if the agent did not tell."""
    wall_us: tuple[float, ...]
    """What the cell's nodes took together in each run under the runtime's profiler, in order."""
    cores_seen: tuple[int, ...]
    before: Environment
    after: Environment


@dataclass(frozen=True, slots=True)
class CellSamples(Tabular):
    """What a device measured of one cell of a latency table, window by window.

    Times are as the runtime's profiler gave them, which costs time itself. The table's entry also follows
    from whole networks, and stands in units of the anchor.
    """

    snapshot: str
    layer: str
    block: str
    job_id: str
    """The profile that measured it."""
    spread: Spread | None
    """Of all samples; None: there are none, as of a cell that costs nothing, or of compacted windows."""
    windows: tuple[CellWindow, ...]

    def table_rows(self) -> Iterable[object]:
        """Return the windows."""
        return self.windows

    @property
    def table_caption(self) -> str:
        return f"{self.snapshot} · {self.layer} {self.block}"
