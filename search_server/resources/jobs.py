"""Long work and its progress, of whatever kind."""

from dataclasses import dataclass
from typing import Literal

from shared.protocol.device import Conditions

JobKind = Literal["profile", "measurement", "check", "search", "model", "gate"]
JobStatus = Literal["queued", "running", "done", "failed", "cancelled"]

MAX_JOB_NAME = 100
MAX_NOTE = 10_000


def require_job_name(name: str) -> None:
    """Accept what people may call a job; empty: nothing.

    Raises:
        ValueError: it is too long, looks like an id, or does not fit into a line or an address.
    """
    if len(name) > MAX_JOB_NAME or not name.isprintable() or name != name.strip() or "/" in name:
        raise ValueError(
            f"name must have at most {MAX_JOB_NAME} printable characters, no '/', and no space at its "
            f"ends, got {name[:MAX_JOB_NAME]!r}"
        )
    if name.startswith("job_"):
        raise ValueError(f"name must not begin with 'job_', as ids do, got {name!r}")


@dataclass(frozen=True, slots=True)
class JobUpdate:
    """New values for what a person may change of a job; None leaves a value as it is."""

    name: str | None = None
    """Commands take it in place of the id, where one job alone has it. Empty: none."""
    note: str | None = None
    """Text of one's own, up to 10,000 characters."""

    def __post_init__(self) -> None:
        if self.name is not None:
            require_job_name(self.name)
        if self.note is not None and len(self.note) > MAX_NOTE:
            raise ValueError(f"note must have at most {MAX_NOTE} characters, got {len(self.note)}")


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
    name: str = ""
    """What people call it."""
    note: str = ""
