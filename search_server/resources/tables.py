"""Latency tables: asked for, measured, judged, compared."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from search_server.latency.verdict import Verdict
from search_server.resources.checks import Drift
from search_server.resources.jobs import Job, require_job_name
from search_server.resources.tabular import Tabular
from shared.protocol.device import Conditions

Reason = Literal["profiled", "rescaled", "recalibrated", "imported", "head scaled"]


@dataclass(frozen=True, slots=True)
class ProfileCreate:
    """Measure what the latency table of a space lacks on a device."""

    device: str
    """Id or name."""
    space: str
    conditions: Conditions = Conditions()
    force: bool = False
    """Measure again even where a valid table exists."""
    accept_noise: bool = False
    """Take a slow or restless device as it is; the table says so."""
    private: bool = False
    """Only you and administrators find the job and its table."""
    name: str = ""
    """What people call the job."""

    def __post_init__(self) -> None:
        require_job_name(self.name)
        # The usual accelerator by its name is the same as none.
        object.__setattr__(self, "conditions", self.conditions.usual_unsaid())


@dataclass(frozen=True, slots=True)
class Outlook:
    """How far a profile is, and how long it will probably go on."""

    num_windows: int
    """Windows that gave numbers."""
    num_kept: int
    """Those of them that an earlier profile measured, which was interrupted."""
    num_lost: int
    """Windows that gave none: throttled, restless, too hot."""
    num_more: int
    """Windows that are probably still to come."""
    time_left_s: float
    repeat_median: float | None
    """As in :class:`Verdict`, over the windows so far; None while they are too few."""
    repeat_median_limit: float
    repeat_p95: float | None
    repeat_p95_limit: float
    reasons: tuple[str, ...] = ()
    """What still speaks against the table."""


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
    outlook: Outlook | None = None
    """While it goes on; None before its first window is in, and once it has ended."""


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
    input_shape: tuple[int, ...] = ()
    """What reaches the segment: channels, height and width of one image."""
    output_shape: tuple[int, ...] = ()
    """What it gives on."""
    macs: int = 0
    """Multiply-accumulates for one image."""
    params: int = 0


@dataclass(frozen=True, slots=True)
class Lineage:
    """How a snapshot came to be."""

    reason: Reason = "profiled"
    parent: str | None = None
    """The snapshot that it follows: same device, conditions and space; that of ``head scaled`` has
    another number of classes."""
    change: str = ""
    """What differs from the parent, with figures."""


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
    warnings: tuple[str, ...] = ()
    """What is odd about an imported table, one sentence each."""
    lineage: Lineage = Lineage()
    drift: Drift | None = None
    """What the newest check of this snapshot found."""
    superseded_by: str | None = None
    """The newest accepted snapshot that follows this one."""
    fastest_us: float | None = None
    """Predicted latency of the fastest network of the space; None where cells are missing."""
    slowest_us: float | None = None
    """... and of the slowest one: a search's target lies between the two."""
    owner: str = "shared"
    """The user who asked for it, or imported it."""
    is_private: bool = False
    """Only the owner and administrators find it."""


@dataclass(frozen=True, slots=True)
class Table(Tabular):
    """A whole latency-table snapshot."""

    summary: TableSummary
    cells: tuple[TableCell, ...]

    def table_rows(self) -> Iterable[object]:
        """Return the cells."""
        return self.cells

    @property
    def table_caption(self) -> str:
        of = self.summary
        return f"{of.device_name} · {of.space} · {of.conditions} · {of.snapshot}"


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
class NetworkDiff:
    """A known network as two tables predict it, and its rank among them (0 is the fastest)."""

    name: str
    architecture: str
    a_us: float
    b_us: float
    ratio: float
    """``b_us / a_us``."""
    rank_a: int
    rank_b: int


@dataclass(frozen=True, slots=True)
class TableDiff(Tabular):
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
    networks: tuple[NetworkDiff, ...] = ()
    """The known networks that both tables predict; see ``GET latency-tables/{snapshot}/networks``."""
    num_flipped_pairs: int = 0
    """Pairs of these networks of which one table calls the one faster, the other table the other one."""

    def table_rows(self) -> Iterable[object]:
        """Return the cells."""
        return self.cells

    @property
    def table_caption(self) -> str:
        return f"{self.b.snapshot} over {self.a.snapshot}: {self.ratio_median:.3f}"
