"""What every stage of a search needs: the request, the table that it quotes, and where to write."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from search_server.data_roots import NO_ROOTS, DataRoots
from search_server.db.models import DeviceRow, JobRow
from search_server.engines.engine import Engine
from search_server.engines.local import LOCAL
from search_server.latency.stored.snapshots import load_table
from search_server.latency.table import LatencyTable
from search_server.resources.searches import SearchCreate, SearchStep
from search_server.searches.recording import set_progress
from search_server.searches.searches import find_request, search_steps_after
from search_server.store import Store
from shared.architecture import Architecture
from shared.search_space import SearchSpace, search_space

Transaction = Callable[[], AbstractContextManager[Session]]


def _nowhere(step: SearchStep) -> None:
    """Keep no book."""


class StoppedError(Exception):
    """The worker is being stopped; what was done so far is kept."""


@dataclass(frozen=True, slots=True)
class SearchDevice:
    """A device of a search: its latencies, and what they may be."""

    name: str
    """Unique in the search; with the conditions where a device takes part twice."""
    device_id: str
    table: LatencyTable
    target_ms: float | None
    """None: the loss alone decides."""
    weight: float
    can_measure: bool
    """The device has an agent; one that only an imported table speaks of has none."""

    @property
    def target_us(self) -> float | None:
        """The same in microseconds."""
        return None if self.target_ms is None else 1000 * self.target_ms

    def predict_us(self, architecture: Architecture) -> float:
        """Return the predicted latency of a network in microseconds."""
        return self.table.predict(architecture).latency_us


@dataclass(frozen=True, slots=True)
class SearchJob:
    """A claimed search."""

    job_id: str
    request: SearchCreate
    devices: tuple[SearchDevice, ...]
    """At least one; the first is the search's own."""
    space: SearchSpace
    store: Store
    transaction: Transaction
    should_stop: Callable[[], bool]
    events_dir: Path | None = None
    """Where TensorBoard reads event files, a folder a search; None for none."""
    accelerator: str = "cpu"
    """What the search computes on, by name: ``nas/accelerator.py``."""
    data_roots: DataRoots = NO_ROOTS
    """Where its images may lie."""
    teachers: tuple[str, ...] = ()
    """Functions that it may take a teacher from, as ``MODULE:FUNCTION``."""
    note: Callable[[SearchStep], None] = _nowhere
    """Notes a step in the books of experiments that the operator keeps."""
    engine: Engine = LOCAL
    """Where its processes run."""

    @property
    def event_folder(self) -> Path | None:
        """Where the search's own event files go."""
        return self.events_dir / self.job_id if self.events_dir else None

    @property
    def targets_us(self) -> tuple[float, ...]:
        """The latency to hold on each device; empty if the loss alone decides."""
        return tuple(device.target_us for device in self.devices if device.target_us is not None)

    def predict_us(self, architecture: Architecture) -> float:
        """Return the predicted latency of a network on the first device in microseconds."""
        return self.devices[0].predict_us(architecture)

    def num_threads(self) -> int | None:
        """Return the threads of each process: as the search began, or as is asked; None: as it comes."""
        with self.transaction() as session:
            begun = search_steps_after(session, self.job_id, -1, limit=1)
        return (begun[0].num_threads if begun else None) or self.request.num_threads

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
    job_id: str,
    transaction: Transaction,
    store: Store,
    should_stop: Callable[[], bool],
    events_dir: Path | None = None,
    accelerator: str = "cpu",
    data_roots: DataRoots = NO_ROOTS,
    teachers: tuple[str, ...] = (),
    engine: Engine = LOCAL,
) -> SearchJob:
    """Read a search's request and table."""
    with transaction() as session:
        row = session.get_one(JobRow, job_id)
        request = find_request(row)
        devices = _devices(session, request, [row.snapshot or "", *row.other_snapshots])
    space = search_space(request.space)
    return SearchJob(
        job_id,
        request,
        devices,
        space,
        store,
        transaction,
        should_stop,
        events_dir,
        accelerator=accelerator,
        data_roots=data_roots,
        teachers=teachers,
        engine=engine,
    )


def _devices(session: Session, request: SearchCreate, snapshots: Sequence[str]) -> tuple[SearchDevice, ...]:
    targets_ms = [request.target_ms, *(other.target_ms for other in request.also)]
    weights = [1.0, *(other.weight for other in request.also)]
    devices: list[SearchDevice] = []
    for snapshot, target_ms, weight in zip(snapshots, targets_ms, weights, strict=True):
        table = load_table(session, snapshot)
        row = session.get_one(DeviceRow, table.device_id)
        is_again = any(device.device_id == row.device_id for device in devices)
        devices.append(
            SearchDevice(
                name=f"{row.name} ({table.conditions})" if is_again else row.name,
                device_id=row.device_id,
                table=table,
                target_ms=target_ms,
                weight=weight,
                can_measure=not row.is_imported,
            )
        )
    return tuple(devices)
