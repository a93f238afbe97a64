"""Long trials in two processes of one thread each, with a memory: what is done once is never done again.

A trial is a frozen dataclass with a ``run`` that depends on its fields alone. Its outcome is appended to a
file of JSON lines as soon as it is there, so a benchmark that was interrupted goes on where it was.
"""

import hashlib
import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch

Outcome = dict[str, Any]


class Trial(Protocol):
    """Something that takes long: a training, a search, a timing."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def run(self) -> Outcome:
        """Do it, and return what JSON can hold."""


class Ledger:
    """The outcomes of trials, in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.outcomes: dict[str, Outcome] = {}
        if path.exists():
            entries = (json.loads(line) for line in path.read_text().splitlines())
            self.outcomes = {entry["key"]: entry["outcome"] for entry in entries}

    def outcome(self, trial: Trial) -> Outcome:
        """Return the outcome of a trial, run in this process if need be."""
        if trial_key(trial) not in self.outcomes:
            self._record(trial, trial.run())
        return self.outcomes[trial_key(trial)]

    def run_all(self, trials: Sequence[Trial], num_processes: int, tell: Callable[[str], None]) -> None:
        """Run the trials that have no outcome yet, ``num_processes`` at a time."""
        waiting = {trial_key(trial): trial for trial in trials if trial_key(trial) not in self.outcomes}
        if not waiting:
            return
        spawning = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(num_processes, spawning, _begin_worker) as pool:
            futures = {pool.submit(trial.run): trial for trial in waiting.values()}
            for num_done, future in enumerate(as_completed(futures), 1):
                self._record(futures[future], future.result())
                tell(f"{num_done} of {len(futures)}")

    def _record(self, trial: Trial, outcome: Outcome) -> None:
        key = trial_key(trial)
        entry = {"key": key, "kind": type(trial).__name__, "trial": asdict(trial), "outcome": outcome}
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        self.outcomes[key] = outcome


def _begin_worker() -> None:
    """Compute with one thread, and end with the process that asked."""
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def trial_key(trial: Trial) -> str:
    """Return 16 hex digits that change with any field of a trial."""
    text = json.dumps([type(trial).__name__, asdict(trial)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
