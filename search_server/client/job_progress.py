"""The progress of a job on stderr: a bar on a terminal, a line a change elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from search_server.client.commands import err
from search_server.client.errors import SearchClientError
from search_server.resources import Job


class JobFailedError(SearchClientError):
    """A job that was waited for failed or was cancelled."""


class JobProgress:
    """Shows a job whenever it is told about it; made by :func:`job_progress`."""

    def __init__(self, bar: Progress | None) -> None:
        self._bar = bar
        self._task = None if bar is None else bar.add_task("waiting", total=1.0)
        self._last_message = ""

    def update(self, job: Job) -> None:
        """Show the job as it stands.

        Raises:
            JobFailedError: it failed or was cancelled.
        """
        message = job.message or job.status
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=job.progress, description=message)
        elif message != self._last_message:
            err.print(f"{100 * job.progress:3.0f} %  {message}", soft_wrap=True, markup=False)
        self._last_message = message
        if job.status in ("failed", "cancelled"):
            raise JobFailedError(
                f"{job.kind} {job.job_id} {job.status}: {job.message or 'no reason given'}"
            )

    def note(self, line: str) -> None:
        """Print a line that stays, above the bar."""
        err.print(line, soft_wrap=True)


@contextmanager
def job_progress(job: Job) -> Iterator[JobProgress]:
    """Show a job while it is followed; leaving with Ctrl-C does not stop the job, and says so."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    try:
        if not err.is_terminal:
            yield JobProgress(None)
            return
        with Progress(*columns, console=err, transient=True) as bar:
            yield JobProgress(bar)
    except KeyboardInterrupt:
        err.print(f"\nstopped watching; {job.kind} {job.job_id} goes on at the server")
        raise
