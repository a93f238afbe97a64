"""What became of a latency table later: checked for drift, recalibrated by measured networks."""

from dataclasses import dataclass
from typing import Literal

from search_server.resources.jobs import Job

CheckOutcome = Literal["unchanged", "rescaled", "stale"]


@dataclass(frozen=True, slots=True)
class CheckCreate:
    """Check whether a device still is as a table says; the snapshot stands in the path."""

    snapshot: str


@dataclass(frozen=True, slots=True)
class CheckedNetwork:
    """One cover network of a check, in units of the anchor."""

    architecture: str
    predicted_units: float
    measured_units: float


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a device has moved away from a table, and what follows."""

    snapshot: str
    """The table that was checked."""
    outcome: CheckOutcome
    """``rescaled``: only the level moved; ``stale``: the table has to be measured again."""
    anchor_then_us: float
    anchor_now_us: float
    level: float
    """How much slower the anchor has become: 0.02 is 2 %."""
    structure: float
    """Median over the networks of measured over predicted ratio to the anchor, less 1."""
    networks: tuple[CheckedNetwork, ...]
    found_at: str
    rescaled_to: str | None = None
    """The new snapshot, at the level of now."""

    def __str__(self) -> str:
        return f"level {100 * self.level:+z.1f} %, structure {100 * self.structure:+z.1f} %"


@dataclass(frozen=True, slots=True)
class TableCheck:
    """A check job and what it found."""

    job: Job
    snapshot: str
    drift: Drift | None = None


@dataclass(frozen=True, slots=True)
class Recalibration:
    """A table whose entries were all multiplied by one factor, so that measured networks fit."""

    snapshot: str
    """The new table."""
    parent: str
    num_networks: int
    """Measured networks behind the factor, all different."""
    factor: float
    """Median of measured over predicted latency."""
    error: float
    """Half-width of a 90 % interval of ``factor``."""
    scatter: float
    """Robust relative scatter of measured over predicted latency."""
    network_sigma: float
    """Relative standard error of a prediction for one more network, from what the factor leaves."""
