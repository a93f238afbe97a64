"""Small jobs for engines: functions that other processes find by their name."""

import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search_server.engines.engine import Ranks, Tell
from search_server.nas.budget.search_caps import DeviceTable
from search_server.searches.search_inputs import DataChoice
from search_server.searches.shared_search import SearchTask, search_together
from shared.search_space import search_space
from tests.flow.shelf import FEW, SPACE, request
from tests.search_server.tables import known_table


def search_task(num_shards: int, **changes: object) -> SearchTask:
    """A search of two classes of digits, with four steps of the weights an epoch."""
    create = request(**{**FEW, "epochs": 4, "batch_size": 64, **changes})
    table = known_table("", SPACE.name)
    return SearchTask(
        SPACE.name,
        [DeviceTable("shelf", table, create.target_ms)],
        create,
        DataChoice("digits", search_space(SPACE.name).resolution, create.seed, 2, (), None, None),
        "cpu",
        num_shards,
        num_threads=1,
    )


@dataclass(frozen=True)
class Fatal:
    """A search one of whose processes dies once, as soon as there is a checkpoint."""

    search: SearchTask
    mark: Path
    """Is made when the process dies; where it is there, none dies."""


def search_that_loses_a_process(ranks: Ranks, task: Fatal) -> None:
    if ranks.rank == 1 and not task.mark.exists():
        threading.Thread(target=_die, args=(ranks, task.mark), daemon=True).start()
    search_together(ranks, task.search)


def _die(ranks: Ranks, mark: Path) -> None:
    while ranks.latest_checkpoint() is None:
        time.sleep(0.05)
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(ranks: Ranks, task: str) -> None:
    """Rank 1 refuses the task, rank 0 waits for it."""
    if ranks.rank == 1:
        raise ValueError(f"nobody can do {task}")
    time.sleep(600)


def square(number: int, tell: Tell) -> int:
    tell(0.5, f"squaring {number}")
    if number < 0:
        raise ValueError(f"{number} is below 0")
    return number * number


def die_once(mark: Path, _: Tell) -> str:
    """Die the first time."""
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return mark.name


def wait_long(folder: Path, tell: Tell) -> None:
    """Leave the process's id, and stay."""
    (folder / str(os.getpid())).touch()
    tell(0.0, "waiting")
    time.sleep(600)


class Book:
    """What came home from a job."""

    def __init__(self) -> None:
        self.facts: list[Any] = []
        self.checkpoints: list[bytes] = []

    def on_report(self, facts: Any, checkpoint: bytes) -> None:
        self.facts.append(facts)
        self.checkpoints.append(checkpoint)


def go_on() -> None:
    """Never end a job."""
