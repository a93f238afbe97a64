"""The jobs of many devices on stderr: one view with a line for each, and how they ended."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Column
from rich.text import Text

from search_server.client.commands import EXIT_FAILED, EXIT_INTERRUPTED, err
from search_server.client.errors import SearchClientError
from search_server.client.fleet import Outcome, on_each
from search_server.client.job_progress import Follow, JobProgress, following
from search_server.resources.jobs import Job

T = TypeVar("T")

_BAR_WIDTH = 16


def follow_on_each(devices: Iterable[str], work: Callable[[str, Follow], T]) -> list[Outcome[T]]:
    """Do work on each device at once; ``work`` shows its jobs by the ``Follow`` that it gets.

    Ctrl-C cancels the jobs that are at work and ends the command.
    """
    names = tuple(devices)
    running: dict[str, tuple[Job, Callable[[str], object]]] = {}

    def show_in(bar: Progress | None) -> list[Outcome[T]]:
        progress = {name: JobProgress(bar, name) for name in names}
        return on_each(names, lambda name: work(name, following(progress[name], running)))

    try:
        if not err.is_terminal:
            return show_in(None)
        with device_lines(err) as bar:
            return show_in(bar)
    except KeyboardInterrupt:
        _cancel(list(running.values()))
        raise typer.Exit(EXIT_INTERRUPTED) from None


def device_lines(console: Console) -> Progress:
    """Return a view with one line a device; a message that is too long for the line is cut."""
    message = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    return Progress(
        TextColumn("{task.fields[device]}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(_BAR_WIDTH),
        TaskProgressColumn(),
        TextColumn("{task.description}", markup=False, table_column=message),
        console=console,
        transient=True,
        expand=True,
    )


def result_text(outcome: Outcome[T], good: str) -> Text:
    """Return how the work on a device ended."""
    return Text(outcome.error, style="red") if outcome.value is None else Text(good, style="green")


def require_all(outcomes: Sequence[Outcome[T]]) -> None:
    """End the command with its exit status if the work failed on a device."""
    failed = [outcome.device for outcome in outcomes if outcome.value is None]
    if failed:
        err.print(
            f"failed on {len(failed)} of {len(outcomes)}: {', '.join(failed)}",
            markup=False,
            soft_wrap=True,
        )
        raise typer.Exit(EXIT_FAILED)


def _cancel(running: Sequence[tuple[Job, Callable[[str], object]]]) -> None:
    for job, cancel in running:
        try:
            cancel(job.job_id)
        except SearchClientError as error:
            err.print(f"{job.kind} {job.job_id} was not cancelled: {error}", markup=False, soft_wrap=True)
        else:
            err.print(
                f"cancelled {job.kind} {job.job_id} on {job.device_name}", markup=False, soft_wrap=True
            )
