"""What the leases of a job gave: what its conclusion rests on. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from shared.protocol.device import Conditions
from shared.protocol.measurement import LeaseItem, Result

ACCEPT_NOISE = "To take a slow or restless device as it is, add --accept-noise (REST: accept_noise)"

Window = tuple[Result, ...]
"""What one lease gave."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What all leases of a job gave, in the order in which they were finished."""

    space: str
    device_id: str
    conditions: Conditions
    items: tuple[LeaseItem, ...]
    """Of all leases, each once."""
    leases: tuple[tuple[int, Window], ...]
    """Group and results of each lease."""
    kept: tuple[Window, ...] = ()
    """Windows of an earlier profile that count for this one."""
    accept_noise: bool = False
    """Who asked takes a slow or restless device as it is."""
    begun_at: datetime | None = None
    """When the job began, by the server's clock."""

    @property
    def windows(self) -> tuple[Window, ...]:
        """All that counts for a profile, in the order in which it was measured."""
        return (*self.kept, *(results for _, results in self.leases))

    @property
    def results(self) -> tuple[Result, ...]:
        return tuple(result for _, results in self.leases for result in results)

    def measured_at(self, results: Iterable[Result], now: datetime) -> str:
        """Return when results of this job were measured, as ISO 8601.

        The device's clock tells it. What it tells before the job began, or after now, is wrong: then now.
        """
        moments = [moment for result in results if (moment := _moment(result.started_at)) is not None]
        begun_at = self.begun_at or datetime.min.replace(tzinfo=UTC)
        return max((moment for moment in moments if begun_at <= moment <= now), default=now).isoformat()

    @property
    def measured_conditions(self) -> Conditions:
        """The conditions with the runtime's version, which the results tell."""
        told = (result.runtime_version for result in self.results if result.runtime_version)
        return replace(self.conditions, runtime_version=next(told, self.conditions.runtime_version))


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing can come of it."""

    message: str


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def noise_of(results: Iterable[Result]) -> str | None:
    """Return what would speak against results, had it not been accepted: one example; None if nothing."""
    return next((result.noise for result in results if result.noise), None)


def accepted_noise(windows: Sequence[Window]) -> str:
    """Return how many windows would have been refused for their noise, with one example; else nothing."""
    noises = [noise for noise in map(noise_of, windows) if noise]
    return f"{len(noises)} of {len(windows)} windows would have been refused: {noises[0]}" if noises else ""


def reasons_of(results: Iterable[Result]) -> str:
    """Return what speaks against results that are not ``ok``, each reason once, five at most."""
    reasons = {f"{r.status}: {r.reason}" if r.reason else r.status for r in results if r.status != "ok"}
    return "; ".join(sorted(reasons)[:5])


def remedy_of(results: Iterable[Result]) -> str:
    """Return what helps where results were refused because of a slow or restless device; else nothing."""
    is_noise = any(result.status in ("unstable", "throttled", "deferred") for result in results)
    return f". {ACCEPT_NOISE}" if is_noise else ""
