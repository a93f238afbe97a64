"""The mailbox of a job that runs in other processes: what they tell comes here, checkpoints go back."""

import queue
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Report:
    """What rank 0 told."""

    facts: Any
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """What a task told."""

    index: int
    share: float
    words: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a function raised that no further start puts right."""

    error: Exception


Mail = Report | Told | Refusal


class Mailbox:
    """Where the processes of a job and the one that waits for them meet; any thread may use it."""

    def __init__(self, checkpoint: bytes | None) -> None:
        self._checkpoint = checkpoint
        self._mail: queue.SimpleQueue[Mail] = queue.SimpleQueue()

    def latest_checkpoint(self) -> bytes | None:
        """Return from what to go on."""
        return self._checkpoint

    def put(self, mail: Mail) -> None:
        """Take something in."""
        if isinstance(mail, Report):
            self._checkpoint = mail.checkpoint
        self._mail.put(mail)

    def take(self, timeout_s: float) -> Mail | None:
        """Return what came next; None if nothing came in this time."""
        try:
            return self._mail.get(timeout=timeout_s)
        except queue.Empty:
            return None


def opened(mail: Mail | None) -> Report | None:
    """Return a report.

    Raises:
        Exception: what a function refused its task with.
    """
    if isinstance(mail, Refusal):
        raise mail.error
    return mail if isinstance(mail, Report) else None
