"""Years of measurements, written into a database in bulk: leases, results, node rows and tables.

All leases look alike: one is made by the server's own plan and answered once, and its rows are written
again and again under other names. A stored sample is one run of one segment, or of one network.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import Any

from sqlalchemy import insert, select, text
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
from search_server.leases.ingest import ingest_result
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
_ROWS_AT_ONCE = 20_000

_Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Template:
    """One lease as the server stores it, with its results and nodes, and one table."""

    lease: _Row
    results: tuple[_Row, ...]
    nodes: tuple[tuple[_Row, ...], ...]
    """Of each result."""
    table: LatencyTable
    entries: tuple[_Row, ...]
    answers: tuple[Result, ...]

    @property
    def num_samples(self) -> int:
        """Runs in the results of the lease."""
        return sum(
            len(answer.runs.wall_us) + sum(len(node.wall_us) for node in answer.nodes)
            for answer in self.answers
        )


def make_template(session: Session, store: Store) -> Template:
    """Let the server plan a lease of a profile, and store its answers."""
    now = utc_now()
    row = add_device(session, device("history"), now)
    job = create_job(session, Submission(None), "profile", row, SPACE.name, CONDITIONS, {}, now)
    job.status = "cancelled"  # nothing follows from its results
    items = profile_items(SPACE, ItemFactory(session, store, CONDITIONS, now), 0)
    lease = create_lease(session, job, items, policy(0, CONDITIONS), now)
    lease.status, lease.fence = "leased", 1
    answers = tuple(simulated_results(to_lease(lease)))
    for answer in answers:
        ingest_result(session, row.device_id, answer, now)
    results = session.scalars(select(ResultRow).where(ResultRow.lease_id == lease.lease_id)).all()
    nodes = [
        session.scalars(select(MeasuredNodeRow).where(MeasuredNodeRow.result_id == result.result_id)).all()
        for result in results
    ]
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
    snapshot = store_table(session, table, now)
    entries = session.scalars(select(LatencyEntryRow).where(LatencyEntryRow.snapshot == snapshot)).all()
    return Template(
        _columns(lease),
        tuple(map(_columns, results)),
        tuple(tuple(map(_columns, each)) for each in nodes),
        table,
        tuple(map(_columns, entries)),
        answers,
    )


def fill(database: Database, template: Template, num_samples: int) -> list[str]:
    """Write so many samples, as leases measured one after another; return the tables' snapshots."""
    num_leases = max(1, num_samples // template.num_samples)
    now, first = utc_now(), len(template.results) + 1
    snapshots: list[str] = []

    def leases() -> Iterator[_Row]:
        for number in range(num_leases):
            at = now - timedelta(minutes=num_leases - number)
            yield template.lease | {
                "lease_id": f"history_{number:09}",
                "status": "done",
                "created_at": at,
                "finished_at": at,
            }

    def results() -> Iterator[_Row]:
        for number in range(num_leases):
            for place, row in enumerate(template.results):
                result_id = first + number * len(template.results) + place
                yield row | {"result_id": result_id, "lease_id": f"history_{number:09}"}

    def nodes() -> Iterator[_Row]:
        for number in range(num_leases):
            for place, rows in enumerate(template.nodes):
                result_id = first + number * len(template.results) + place
                yield from (row | {"result_id": result_id} for row in rows)

    with database.transaction() as session:
        for kind, rows in ((LeaseRow, leases()), (ResultRow, results()), (MeasuredNodeRow, nodes())):
            while batch := list(islice(rows, _ROWS_AT_ONCE)):
                session.execute(insert(kind), batch)
        for number in range(max(1, num_leases // TABLES_EVERY)):
            made = replace(template.table, anchor_us=template.table.anchor_us + number)
            snapshots.append(_add_table(session, made, template))
        if database.engine.name == "postgresql":
            sequence = "pg_get_serial_sequence('results', 'result_id')"
            session.execute(text(f"SELECT setval({sequence}, max(result_id)) FROM results"))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return snapshots


def _add_table(session: Session, table: LatencyTable, template: Template) -> str:
    now, snapshot = utc_now(), table.snapshot
    known = session.get(DeviceRow, table.device_id)
    assert known is not None
    if table.anchor_us == template.table.anchor_us:
        return snapshot  # the template's own
    row = LatencyTableRow(
        table_id=new_id("table", now),
        snapshot=snapshot,
        device_id=table.device_id,
        space=table.space,
        runtime=CONDITIONS.runtime,
        conditions_key=CONDITIONS.key,
        content=table.to_json(),
        is_accepted=True,
        anchor_us=table.anchor_us,
        source=table.source,
        job_id=None,
        warnings=[],
        reason="profiled",
        parent=None,
        change="",
        created_at=now,
    )
    session.add(row)
    session.flush()
    session.execute(insert(LatencyEntryRow), [entry | {"snapshot": snapshot} for entry in template.entries])
    session.expunge(row)
    return snapshot


def add_open_leases(session: Session, template: Template, device_id: str, num_leases: int) -> list[str]:
    """Write leases of a device that take results; return their ids."""
    names = [f"open_{device_id}_{number}"[-64:] for number in range(num_leases)]
    rows = [
        template.lease
        | {
            "lease_id": name,
            "device_id": device_id,
            "status": "pending",
            "finished_at": None,
            "progress": 0.0,
        }
        for name in names
    ]
    session.execute(insert(LeaseRow), rows)
    return names


def watched_job(session: Session, device_id: str) -> str:
    """Return the id of a profile that is at work for as long as anybody watches."""
    known = session.get_one(DeviceRow, device_id)
    job = create_job(session, Submission(None), "profile", known, SPACE.name, CONDITIONS, {}, utc_now())
    job.status = "running"
    return job.job_id


def _columns(row: Any) -> _Row:
    return {column.key: getattr(row, column.key) for column in row.__mapper__.column_attrs}
