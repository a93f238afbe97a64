"""What every stage of a search needs: the request, the table that it quotes, and where to write."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from search_server.db.models import DeviceRow, JobRow
from search_server.jobs.recording import set_progress
from search_server.jobs.searches import find_request
from search_server.latency.snapshots import load_table
from search_server.latency.table import LatencyTable
from search_server.resources.searches import SearchCreate
from shared.architecture import Architecture
from shared.search_space import SearchSpace, search_space

Transaction = Callable[[], AbstractContextManager[Session]]


class StoppedError(Exception):
    """The worker is being stopped; what was done so far is kept."""


@dataclass(frozen=True, slots=True)
class SearchJob:
    """A claimed search."""

    job_id: str
    request: SearchCreate
    device_id: str
    table: LatencyTable
    space: SearchSpace
    data_dir: Path
    transaction: Transaction
    should_stop: Callable[[], bool]
    can_measure: bool = True
    """The device has an agent; one that only an imported table speaks of has none."""

    @property
    def folder(self) -> Path:
        """Where the search keeps checkpoints and exports."""
        return self.data_dir / "searches" / self.job_id

    @property
    def target_us(self) -> float | None:
        """The latency to hold; None if the loss alone decides."""
        return self.request.target_ms * 1000 if self.request.target_ms is not None else None

    def predict_us(self, architecture: Architecture) -> float:
        """Return the predicted latency of a network in microseconds."""
        return self.table.predict(architecture).latency_us

    def go_on(self) -> None:
        """Return, unless the worker is being stopped.

        Raises:
            StoppedError: it is.
        """
        if self.should_stop():
            raise StoppedError

    def tell(self, stage: str, progress: float, message: str) -> None:
        """Record where the search is, 0..1, and what it does now; stops like :meth:`go_on`."""
        self.go_on()
        with self.transaction() as session:
            set_progress(session, self.job_id, progress, message, stage)


def open_search_job(
    job_id: str, transaction: Transaction, data_dir: Path, should_stop: Callable[[], bool]
) -> SearchJob:
    """Read a search's request and table, and make its folder."""
    with transaction() as session:
        row = session.get_one(JobRow, job_id)
        request, device_id = find_request(row), row.device_id
        table = load_table(session, row.snapshot or "")
        can_measure = not session.get_one(DeviceRow, device_id).is_imported
    space = search_space(request.space)
    job = SearchJob(
        job_id, request, device_id, table, space, data_dir, transaction, should_stop, can_measure
    )
    job.folder.mkdir(parents=True, exist_ok=True)
    return job
