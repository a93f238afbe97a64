"""Long work and its progress, of whatever kind."""

from dataclasses import dataclass
from typing import Literal

from shared.protocol.device import Conditions

JobKind = Literal["profile", "measurement", "check", "search", "model", "gate"]
JobStatus = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Job:
    """Long work of one of six kinds, with its progress."""

    job_id: str
    kind: JobKind
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
    owner: str = "shared"
    """The user whose job it is."""
    is_private: bool = False
    """Only the owner and administrators find it."""
