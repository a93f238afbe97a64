"""Years of measurements, written into a database in bulk: leases, results, node rows and tables.

All leases look alike: one is made by the server's own plan and answered once, and the database copies its
rows again and again under other names. A stored sample is one run of one segment, or of one network.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import insert, literal, select, text
from sqlalchemy.orm import Session

from benchmarks.load_agents import device, simulated_results
from search_server.clock import utc_now
from search_server.db.ids import new_id
from search_server.db.models import (
    DeviceRow,
    LatencyEntryRow,
    LatencyTableRow,
    LeaseRow,
    MeasuredNodeRow,
    ResultRow,
)
from search_server.db.session import Database
from search_server.devices.registry import add_device
from search_server.jobs.registry import Submission, create_job
from search_server.latency.stored.snapshots import store_table
from search_server.latency.table import LatencyTable, TableEntry
from search_server.latency.verdict import Verdict
from search_server.leases.ingest import ingest_results
from search_server.leases.leases import create_lease, to_lease
from search_server.profiling.plan import ItemFactory, policy, profile_items
from search_server.store import Store
from shared.protocol.device import Conditions
from shared.protocol.measurement import Result
from shared.search_space import search_space
from shared.workload import IDENTITY_KEY

SPACE = search_space("fbnet-cifar")
CONDITIONS = Conditions(runtime="simulated")
TABLES_EVERY = 8
"""Leases that a table takes."""


@dataclass(frozen=True, slots=True)
class Template:
    """One lease that is stored with its results and nodes, and one table."""

    lease_id: str
    table: LatencyTable
    answers: tuple[Result, ...]

    @property
    def num_samples(self) -> int:
        """Runs in the results of the lease."""
        return sum(
            len(answer.runs.wall_us) + sum(len(node.wall_us) for node in answer.nodes)
            for answer in self.answers
        )


def make_template(session: Session, store: Store) -> Template:
    """Let the server plan a lease of a profile, and store its answers and a table."""
    now = utc_now()
    row = add_device(session, device("history"), now)
    job = create_job(session, Submission(None), "profile", row, SPACE.name, CONDITIONS, {}, now)
    job.status = "cancelled"  # nothing follows from its results
    items = profile_items(SPACE, ItemFactory(session, store, CONDITIONS, now), 0)
    lease = create_lease(session, job, items, policy(0, CONDITIONS), now)
    lease.status, lease.fence = "leased", 1
    answers = tuple(simulated_results(to_lease(lease)))
    ingest_results(session, row.device_id, lease.lease_id, answers, now)
    workloads = [item.workload for item in items if item.workload is not None]
    keys = {key for workload in workloads for key in workload.segment_keys()} - {IDENTITY_KEY}
    table = LatencyTable(
        space=SPACE.name,
        device_id=row.device_id,
        conditions=CONDITIONS,
        anchor_us=10_000.0,
        entries={key: TableEntry(0.01 + len(key) / 1e4, 0.001, 40) for key in keys},
        network_sigma=0.01,
        created_at=now.isoformat(),
        verdict=Verdict(True, (), 0.0, 0.0, 0.0, 0.0, 1.0),
        is_simulated=True,
    )
    store_table(session, table, now)
    return Template(lease.lease_id, table, answers)


def fill(database: Database, template: Template, num_samples: int) -> list[str]:
    """Write so many samples, all as of now; return the tables' snapshots."""
    num_leases = max(1, num_samples // template.num_samples)
    values = {"lease_id": template.lease_id, "step": len(template.answers)}
    of_lease = "SELECT result_id FROM results WHERE lease_id = :lease_id"
    name, result_id = "'history_' || (100000000 + i)", "t.result_id + :step * i"
    with database.transaction() as session:
        _copy(session, LeaseRow, "t.lease_id = :lease_id", num_leases, values, lease_id=name)
        own = {"lease_id": name, "result_id": result_id}
        _copy(session, ResultRow, "t.lease_id = :lease_id", num_leases, values, **own)
        _copy(
            session,
            MeasuredNodeRow,
            f"t.result_id IN ({of_lease})",
            num_leases,
            values,
            result_id=result_id,
        )
        if database.engine.name == "postgresql":
            sequence = "pg_get_serial_sequence('results', 'result_id')"
            session.execute(text(f"SELECT setval({sequence}, max(result_id)) FROM results"))
        snapshots = _add_tables(session, template, max(1, num_leases // TABLES_EVERY))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return snapshots


def add_open_leases(session: Session, template: Template, device_id: str, num_leases: int) -> list[str]:
    """Write leases of a device that take results; return their ids."""
    values = {"lease_id": template.lease_id, "device_id": device_id, "prefix": f"open_{device_id}_"}
    own = {
        "lease_id": "CAST(:prefix AS TEXT) || i",
        "device_id": "CAST(:device_id AS TEXT)",
        "status": "'pending'",
        "finished_at": "NULL",
        "progress": "0",
    }
    _copy(session, LeaseRow, "t.lease_id = :lease_id", num_leases, values, **own)
    return [f"{values['prefix']}{number}" for number in range(1, num_leases + 1)]


def _copy(
    session: Session, kind: type, rows: str, count: int, values: Mapping[str, object], **own: str
) -> None:
    """Copy rows of a table so often, within the database.

    Args:
        session: open for writing.
        kind: of the rows.
        rows: the SQL condition of those to copy, which are called ``t``.
        count: copies of each.
        values: of the parameters in the SQL.
        own: SQL for the columns that differ, with ``i`` as the number of the copy, from 1.
    """
    table = kind.__table__  # type: ignore[attr-defined]
    names = [column.name for column in table.columns]
    chosen = ", ".join(own.get(name, f"t.{name}") for name in names)
    numbers = "WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < :count)"
    session.execute(
        text(
            f"INSERT INTO {table.name} ({', '.join(names)}) {numbers} "
            f"SELECT {chosen} FROM numbers, {table.name} AS t WHERE {rows}"
        ),
        {**values, "count": count},
    )


def _add_tables(session: Session, template: Template, num_tables: int) -> list[str]:
    """Write tables that differ in their level from the template's; return the snapshots of all."""
    now, first = utc_now(), template.table
    stored = select(LatencyTableRow).where(LatencyTableRow.snapshot == first.snapshot)
    row = session.scalars(stored).one()
    entries = [column for column in LatencyEntryRow.__table__.columns if column.name != "snapshot"]
    snapshots = [first.snapshot]
    for number in range(1, num_tables):
        table = replace(first, anchor_us=first.anchor_us + number)
        snapshot = table.snapshot
        like = {column.key: getattr(row, column.key) for column in row.__mapper__.column_attrs}
        own = {"table_id": new_id("table", now), "snapshot": snapshot, "content": table.to_json()}
        session.execute(insert(LatencyTableRow), [like | own | {"anchor_us": table.anchor_us}])
        copied = select(literal(snapshot), *entries).where(LatencyEntryRow.snapshot == first.snapshot)
        names = ["snapshot", *(column.name for column in entries)]
        session.execute(insert(LatencyEntryRow).from_select(names, copied))
        snapshots.append(snapshot)
    return snapshots


def watched_job(session: Session, device_id: str) -> str:
    """Return the id of a profile that is at work for as long as anybody watches."""
    known = session.get_one(DeviceRow, device_id)
    job = create_job(session, Submission(None), "profile", known, SPACE.name, CONDITIONS, {}, utc_now())
    job.status = "running"
    return job.job_id
