"""What an engine does for a job: run a function on several processes together, or on many tasks apart.

A function that runs together knows its rank, the number of ranks, how to report, and the latest checkpoint.
It says where it is by a report with a checkpoint; what ends one of its processes costs what came behind the
latest one. Functions and tasks travel as pickles: functions are named ones of a module.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")

MAX_RESTARTS = 3
"""How often processes that died are started anew, from the latest checkpoint."""
POLL_S = 0.2
"""How often an engine asks whether to go on."""


class Ranks(Protocol):
    """What a function knows that runs on several processes together."""

    @property
    def rank(self) -> int:
        """Which of the processes this is, from 0."""

    @property
    def world_size(self) -> int:
        """How many there are. Where they are several, torch's default process group joins them."""

    def report(self, facts: Any, checkpoint: bytes) -> None:
        """Tell facts, and from what to go on behind them; called by rank 0 alone."""

    def latest_checkpoint(self) -> bytes | None:
        """Return what was reported last, also before this process began; None: begin at the beginning."""


TogetherFunction = Callable[[Ranks, Any], None]
"""Takes the ranks and a task."""
Tell = Callable[[float, str], None]
"""Takes how much of a task is done, 0..1, and what it does now."""
OnReport = Callable[[Any, bytes], None]
"""Takes facts and a checkpoint."""
GoOn = Callable[[], None]
"""Returns, or raises to end all processes."""


class Engine(Protocol):
    """Where the processes of a job run."""

    @property
    def num_processes(self) -> int:
        """How many a job may have at the same time."""

    def run_together(
        self,
        function: TogetherFunction,
        task: Any,
        num_processes: int,
        checkpoint: bytes | None,
        on_report: OnReport,
        go_on: GoOn,
    ) -> None:
        """Run a function on several processes to its end.

        Args:
            function: what each of them runs.
            task: what it is about.
            num_processes: how many, at most those of the engine.
            checkpoint: from which to go on.
            on_report: is given each report, in order, in this process.
            go_on: asked again and again; what it raises ends all processes.

        Raises:
            ValueError: the function refuses its task.
            RuntimeError: processes died again and again.
        """

    def spread(
        self,
        function: Callable[[Task, Tell], Outcome],
        tasks: Sequence[Task],
        on_told: Callable[[int, float, str], None],
        on_done: Callable[[int, Outcome], None],
        go_on: GoOn,
    ) -> list[Outcome]:
        """Run a function on each task, several at the same time, and return the outcomes in order.

        Args:
            function: what a task needs.
            tasks: of any number.
            on_told: is given the index of a task and what it tells, in this process.
            on_done: is given the index of a task and its outcome as soon as it is there.
            go_on: asked again and again; what it raises ends all processes.

        Raises:
            ValueError: the function refuses a task.
            RuntimeError: processes died again and again.
        """
