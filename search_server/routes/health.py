"""Is the server alive, can it serve, and what it counts."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from search_server.clock import utc_now
from search_server.db.migrate import is_at_head
from search_server.db.models import DeviceRow, JobRow, LeaseRow
from search_server.db.session import Database
from search_server.devices.registry import ONLINE_FOR
from search_server.errors import UnavailableError
from search_server.routes.auth import UserDep
from search_server.routes.context import ContextDep, DatabaseDep
from search_server.routes.error_answers import ERROR_RESPONSES
from search_server.routes.transaction_route import TransactionRoute

router = APIRouter(tags=["health"], responses=ERROR_RESPONSES, route_class=TransactionRoute)


@dataclass(frozen=True, slots=True)
class Health:
    """The server answers."""

    status: str = "ok"


@router.get("/healthz")
def healthz() -> Health:
    """Tell that the process is alive; takes no token."""
    return Health()


@router.get("/readyz")
def readyz(database: DatabaseDep) -> Health:
    """Tell that the database answers and has this version's schema; takes no token."""
    require_ready(database)
    return Health()


@router.get("/metrics", response_class=Response)
def metrics(_: UserDep, context: ContextDep) -> Response:
    """Return figures in the text format of Prometheus."""
    return Response(generate_latest(context.metrics), media_type="text/plain; version=0.0.4; charset=utf-8")


def require_ready(database: Database) -> None:
    """Check that the database can be used.

    Raises:
        UnavailableError: it does not answer, or has the schema of another version.
    """
    try:
        at_head = is_at_head(database.engine)
    except OperationalError as error:
        raise UnavailableError(
            "no_database",
            f"the database does not answer ({str(error.orig).strip()}); is it running, and is "
            "EDGENAS_DATABASE_URL right?",
        ) from error
    if not at_head:
        raise UnavailableError(
            "not_migrated",
            "the database has the schema of another version; run 'search-server migrate', then start again",
        )


class DatabaseCollector(Collector):
    """Counts rows when metrics are asked for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield devices online, and jobs and leases by status."""
        now = utc_now()
        present = DeviceRow.removed_at.is_(None)
        online = present & (DeviceRow.last_seen_at >= now - ONLINE_FOR)
        with self._database.reading() as session:
            num_devices = session.scalar(select(func.count()).select_from(DeviceRow).where(present))
            num_online = session.scalar(select(func.count()).select_from(DeviceRow).where(online))
            jobs = session.execute(
                select(JobRow.kind, JobRow.status, func.count()).group_by(JobRow.kind, JobRow.status)
            ).all()
            leases = session.execute(select(LeaseRow.status, func.count()).group_by(LeaseRow.status)).all()
        yield GaugeMetricFamily("edgenas_devices", "Devices that are not removed", num_devices or 0)
        yield GaugeMetricFamily("edgenas_devices_online", "Devices heard of lately", num_online or 0)
        jobs_family = GaugeMetricFamily(
            "edgenas_jobs", "Jobs by kind and status", labels=("kind", "status")
        )
        for kind, status, count in jobs:
            jobs_family.add_metric((kind, status), count)
        yield jobs_family
        leases_family = GaugeMetricFamily("edgenas_leases", "Leases by status", labels=("status",))
        for lease_status, count in leases:
            leases_family.add_metric((lease_status,), count)
        yield leases_family


def metrics_registry(database: Database) -> CollectorRegistry:
    """Return the registry of one app."""
    registry = CollectorRegistry()
    registry.register(DatabaseCollector(database))
    return registry
