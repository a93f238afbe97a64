"""The progress of a job on stderr: a bar on a terminal, few lines elsewhere; and how it ended."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from search_server.client.commands import EXIT_INTERRUPTED, err
from search_server.client.endpoints import has_ended
from search_server.client.errors import SearchClientError
from search_server.resources.checks import TableCheck
from search_server.resources.gates import Gate
from search_server.resources.jobs import Job
from search_server.resources.latencies import Measurement
from search_server.resources.models import ModelMeasurement
from search_server.resources.tables import Profile

PROGRESS_STEP = 0.05
"""Without a terminal, a line is printed once so much more of a job is done, or when its stage changes."""


Measuring = TypeVar("Measuring", Profile, Measurement, TableCheck, ModelMeasurement, Gate)


class Follow(Protocol):
    """Shows a job until it has ended, and returns it as it is then."""

    def __call__(
        self,
        started: Measuring,
        events: Callable[[str], Iterator[Measuring]],
        cancel: Callable[[str], object],
        /,
    ) -> Measuring:
        """Follow a job that was started; ``events`` and ``cancel`` take its id.

        Raises:
            JobFailedError: it failed or was cancelled.
        """


class JobFailedError(SearchClientError):
    """A job that was waited for failed or was cancelled."""


class JobProgress:
    """Shows a job whenever it is told about it, with the name of its device where there are several."""

    def __init__(self, bar: Progress | None, device: str = "") -> None:
        self._bar = bar
        self._task = None if bar is None else bar.add_task("waiting", total=1.0, device=device)
        self._prefix = f"{device}: " if device else ""
        self._last_stage: tuple[str, str] | None = None
        self._last_progress = 0.0

    def update(self, job: Job, stage: str = "") -> None:
        """Show the job as it stands; a search has a stage, other jobs have only their status."""
        message = job.message or job.status
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=job.progress, description=message)
        elif self._is_worth_a_line(job, stage):
            line = f"{self._prefix}{100 * job.progress:3.0f} %  {message}"
            err.print(line, soft_wrap=True, markup=False)
        if job.status in ("failed", "cancelled"):
            raise JobFailedError(
                f"{job.kind} {job.job_id} {job.status}: {job.message or 'no reason given'}"
            )

    def _is_worth_a_line(self, job: Job, stage: str) -> bool:
        grown = job.progress - self._last_progress
        if (job.status, stage) == self._last_stage and grown < PROGRESS_STEP - 1e-9:
            return False
        self._last_stage, self._last_progress = (job.status, stage), job.progress
        return True

    def note(self, line: str) -> None:
        """Print a line that stays, above the bar."""
        err.print(line, soft_wrap=True)


def require_done(job: Job) -> None:
    """Return if a job has ended well.

    Raises:
        JobFailedError: it failed or was cancelled.
    """
    if job.status != "done":
        raise JobFailedError(f"{job.kind} {job.job_id} {job.status}: {job.message or 'no reason given'}")


def follow(
    started: Measuring, events: Callable[[str], Iterator[Measuring]], cancel: Callable[[str], object]
) -> Measuring:
    """Show the progress of a job until it has ended, and return it as it is then; Ctrl-C cancels it.

    Raises:
        JobFailedError: it failed or was cancelled.
    """
    last, job_id = started, started.job.job_id
    with job_progress(lambda: cancel(job_id), f"cancelled {started.job.kind} {job_id}") as progress:
        for last in events(job_id):
            progress.update(last.job)
    return last


def following(progress: JobProgress, running: dict[str, tuple[Job, Callable[[str], object]]]) -> Follow:
    """Return a :class:`Follow` that shows jobs by ``progress``; ``running`` has those that are at work."""

    def follow_on(
        started: Measuring, events: Callable[[str], Iterator[Measuring]], cancel: Callable[[str], object]
    ) -> Measuring:
        last, job_id = started, started.job.job_id
        running[job_id] = started.job, cancel
        for last in events(job_id):
            if has_ended(last.job):
                running.pop(job_id, None)
            progress.update(last.job)
        return last

    return follow_on


@contextmanager
def job_progress(on_interrupt: Callable[[], object], farewell: str) -> Iterator[JobProgress]:
    """Show a job while it is followed; at Ctrl-C call ``on_interrupt`` and say ``farewell``."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    try:
        if not err.is_terminal:
            yield JobProgress(None)
            return
        with Progress(*columns, console=err, transient=True) as bar:
            yield JobProgress(bar)
    except KeyboardInterrupt:
        on_interrupt()
        err.print(farewell, markup=False, soft_wrap=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
