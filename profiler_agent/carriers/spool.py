"""The spool keeps results on disk until the server has confirmed them: no restart or outage loses one."""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.protocol.measurement import Result
from shared.protocol.wire import WireError, from_json, to_json

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SpooledResult:
    """A result that waits, and where it lies."""

    path: Path
    result: Result
    num_bytes: int

    @property
    def hand_out(self) -> tuple[str, int]:
        """The lease, and its fence."""
        return self.result.lease_id, self.result.fence


class Spool:
    """A folder of results, one JSON file each, in the order in which they came."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._refused = folder / "refused"
        self._refused.mkdir(parents=True, exist_ok=True)
        self._next_number = 1 + max((int(path.stem) for path in self._paths()), default=0)

    def add(self, result: Result) -> None:
        """Write a result to disk; it is safe there when this returns."""
        path = self._folder / f"{self._next_number:09}.json"
        self._next_number += 1
        torso = path.with_suffix(".part")
        with torso.open("w") as file:
            file.write(to_json(result))
            file.flush()
            os.fsync(file.fileno())
        torso.replace(path)

    def waiting(self) -> Iterator[SpooledResult]:
        """Yield the results that wait, oldest first; a file that cannot be read is set aside."""
        for path in self._paths():
            text = path.read_bytes()
            try:
                yield SpooledResult(path, from_json(text, Result), len(text))
            except WireError as error:
                self.set_aside(path, f"it cannot be read: {error}")

    def batches(self, max_bytes: int) -> Iterator[list[SpooledResult]]:
        """Yield the same in parts: each of one hand-out of a lease, and small unless it is a single one."""
        batch: list[SpooledResult] = []
        num_bytes = 0
        for spooled in self.waiting():
            num_bytes += spooled.num_bytes
            if batch and (spooled.hand_out != batch[0].hand_out or num_bytes > max_bytes):
                yield batch
                batch, num_bytes = [], spooled.num_bytes
            batch.append(spooled)
        if batch:
            yield batch

    def remove(self, path: Path) -> None:
        """Forget a result that has arrived or that nobody wants any more."""
        path.unlink(missing_ok=True)

    def set_aside(self, path: Path, reason: str) -> None:
        """Keep a result that will never be accepted, out of the way of the others."""
        kept = self._refused / path.name
        path.replace(kept)
        _log.error("result set aside as %s: %s", kept, reason)

    def __len__(self) -> int:
        return len(self._paths())

    def _paths(self) -> list[Path]:
        return sorted(path for path in self._folder.glob("*.json") if path.stem.isdigit())
