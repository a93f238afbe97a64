"""Figures about what is stored, counted when Prometheus asks for them."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from search_server.clock import Clock
from search_server.db.models import DeviceRow, JobRow, LeaseRow, ResultRow, SearchStepRow
from search_server.db.session import Database
from search_server.devices.registry import ONLINE_FOR
from search_server.searches.silence import SilenceWatch
from search_server.searches.worker_book import workers_alive

Metric = GaugeMetricFamily | CounterMetricFamily


@dataclass(slots=True)
class HouseBook:
    """What this process knows of its housekeeping."""

    kept_at: datetime | None = None
    """When it was done last."""
    workers: SilenceWatch = field(default_factory=SilenceWatch)


@dataclass(frozen=True, slots=True, eq=False)
class ServerCollector(Collector):
    """What one app tells beside its requests."""

    database: Database
    data_dir: Path
    book: HouseBook
    now: Clock

    def collect(self) -> Iterator[Metric]:
        """Yield all figures; those of the database are of one moment."""
        now = self.now()
        with self.database.reading() as session:
            yield from _device_figures(session, now)
            yield from _work_figures(session, now)
            yield from _counters(session)
        yield from _pool_figures(self.database)
        yield from _disk_figures(self.data_dir)
        if self.book.kept_at is not None:
            name = "edgenas_housekeeping_last_run_timestamp_seconds"
            yield GaugeMetricFamily(name, "When the server kept house", self.book.kept_at.timestamp())


def _device_figures(session: Session, now: datetime) -> Iterator[Metric]:
    present = select(func.count()).where(DeviceRow.removed_at.is_(None))
    online = present.where(DeviceRow.last_seen_at >= now - ONLINE_FOR)
    yield GaugeMetricFamily("edgenas_devices", "Devices that are not removed", session.scalar(present))
    yield GaugeMetricFamily(
        "edgenas_devices_online", "Devices heard of in the last minute", session.scalar(online)
    )
    yield GaugeMetricFamily(
        "edgenas_workers_alive", "Search workers heard of in the last minute", workers_alive(session, now)
    )


def _work_figures(session: Session, now: datetime) -> Iterator[Metric]:
    jobs = select(JobRow.kind, JobRow.status, func.count()).group_by(JobRow.kind, JobRow.status)
    yield _gauge("edgenas_jobs", "Jobs", ("kind", "status"), session.execute(jobs))
    queued = select(JobRow.kind, func.min(JobRow.created_at)).where(JobRow.status == "queued")
    ages = [
        (kind, (now - oldest).total_seconds())
        for kind, oldest in session.execute(queued.group_by(JobRow.kind))
    ]
    name = "edgenas_queue_age_seconds"
    yield _gauge(name, "How long the oldest queued job has waited", ("kind",), ages)
    leases = select(LeaseRow.status, func.count()).group_by(LeaseRow.status)
    yield _gauge("edgenas_leases", "Leases", ("status",), session.execute(leases))


def _counters(session: Session) -> Iterator[Metric]:
    # Their numbers rise by one each; counting the rows of years would take seconds.
    results = session.scalar(select(func.max(ResultRow.result_id)))
    yield CounterMetricFamily("edgenas_results", "Results taken in, ever", results or 0)
    steps = session.scalar(select(func.count()).select_from(SearchStepRow))
    yield GaugeMetricFamily("edgenas_search_steps", "Recorded steps of searches", steps)


def _pool_figures(database: Database) -> Iterator[Metric]:
    pool = database.engine.pool
    if isinstance(pool, QueuePool):
        rows = [("in_use", pool.checkedout()), ("idle", pool.checkedin())]
        name = "edgenas_database_connections"
        yield _gauge(name, "Connections of this process to the database", ("state",), rows)


def _disk_figures(data_dir: Path) -> Iterator[Metric]:
    try:
        usage = shutil.disk_usage(data_dir)
    except OSError:
        return  # /readyz says that the folder is gone
    yield GaugeMetricFamily("edgenas_disk_free_bytes", "Free on the disk of the data folder", usage.free)
    yield GaugeMetricFamily("edgenas_disk_total_bytes", "Size of the disk of the data folder", usage.total)


def _gauge(name: str, help_text: str, labels: tuple[str, ...], rows: Iterable[Sequence[Any]]) -> Metric:
    """Return a family from rows that begin with the labels' values and end with the figure."""
    family = GaugeMetricFamily(name, help_text, labels=labels)
    for row in rows:
        family.add_metric(row[:-1], row[-1])
    return family
