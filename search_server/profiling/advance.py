"""What a job does once its leases are done: its evidence is read, concluded from, and the conclusion kept.

What follows from the evidence is decided by one file for each kind of job: ``conclude_profile.py``,
``conclude_measurement.py``, ``conclude_check.py``, ``conclude_model.py`` and ``conclude_gate.py``.

Reading and fitting take time, so they happen outside the transaction that writes the conclusion; that
one first checks that nothing moved meanwhile. Advancing a job twice, or after a crash, is harmless.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from search_server.clock import Clock
from search_server.db.models import JobRow, LeaseRow
from search_server.db.outage import Outage
from search_server.db.session import Database
from search_server.db.visibility import reading_for
from search_server.errors import DamagedError
from search_server.jobs.registry import fail_job, finish_job
from search_server.latency.stored.lineage import profiled_lineage
from search_server.latency.stored.snapshots import load_table, newest_accepted, store_table
from search_server.latency.table import LatencyTable
from search_server.leases.ingest import lease_results
from search_server.leases.leases import create_lease, lease_items
from search_server.profiling.checks import check_networks, checked_tables, measure_again, settle_check
from search_server.profiling.conclude_check import conclude_check
from search_server.profiling.conclude_gate import GateOn, conclude_gate
from search_server.profiling.conclude_measurement import Compared, conclude_measurement
from search_server.profiling.conclude_model import conclude_model
from search_server.profiling.conclude_profile import (
    Fitted,
    MeasureOn,
    acceptance,
    conclude_profile,
    describe,
    refusal,
)
from search_server.profiling.evidence import Evidence, Failed
from search_server.profiling.gates import measure_until
from search_server.profiling.kept_windows import kept_leases
from search_server.profiling.measurements import requested_architectures, store_latencies
from search_server.profiling.own_models import store_model_latency
from search_server.profiling.plan import (
    MEASUREMENT_LEASES,
    PROFILE_WINDOW_S,
    ItemFactory,
    policy,
    profile_items,
)
from search_server.profiling.samples import own_leases
from search_server.resources.checks import Drift
from search_server.resources.gates import GateVerdict
from search_server.resources.latencies import MeasurementCreate
from search_server.resources.models import ModelLatency
from search_server.store import Store
from shared.protocol.device import Conditions
from shared.protocol.measurement import Policy
from shared.protocol.wire import from_dict, to_dict
from shared.search_space import search_space

Conclusion = MeasureOn | Fitted | Compared | Drift | ModelLatency | GateVerdict | GateOn | Failed


def advance_job(database: Database, store: Store, job_id: str, now: Clock) -> None:
    """Do what comes next for a job whose leases are done; nothing if some are not.

    Args:
        database: where the job is.
        store: takes the model files of what is measured next.
        job_id: of any kind.
        now: the time.
    """
    with structlog.contextvars.bound_contextvars(job=job_id):
        _advance(database, store, job_id, now)


def advance_after_answer(database: Database, store: Store, job_id: str, now: Clock) -> None:
    """Advance a job once an answer was sent: an error is logged, and housekeeping tries again later."""
    with Outage(f"advancing job {job_id}").passed_over():
        advance_job(database, store, job_id, now)


def advance_waiting_jobs(database: Database, store: Store, now: Clock) -> int:
    """Advance every job that a crash left with all its leases done; return how many there were."""
    lease = aliased(LeaseRow)
    unfinished = exists().where(lease.job_id == JobRow.job_id, lease.status.in_(("pending", "leased")))
    statement = select(JobRow.job_id).where(
        JobRow.status == "running", JobRow.kind != "search", ~unfinished
    )
    with database.reading() as session:
        job_ids = list(session.scalars(statement))
    for job_id in job_ids:
        try:
            advance_job(database, store, job_id, now)
        except DamagedError as error:
            with database.transaction() as session:
                fail_job(session, job_id, str(error), now())
    return len(job_ids)


def _advance(database: Database, store: Store, job_id: str, now: Clock) -> None:
    with database.reading() as session:
        job = session.get(JobRow, job_id)
        evidence = _gather(session, job) if job is not None else None
        if job is None or evidence is None:
            return
        conclude = _conclusion(session, job, evidence)
    conclusion = conclude(now())
    with database.transaction() as session:
        locked = session.get(JobRow, job_id, with_for_update=True)
        if locked is not None and _is_unmoved(session, locked, evidence):
            _apply(session, store, locked, evidence, conclusion, now)


def _gather(session: Session, job: JobRow) -> Evidence | None:
    if job.status != "running" or job.kind == "search":
        return None
    leases = own_leases(session, job)
    if not leases or any(lease.status != "done" for lease in leases):
        return None
    kept = kept_leases(session, job)
    items = {item.item_id: item for lease in (*kept, *leases) for item in lease_items(lease)}
    return Evidence(
        space=job.space,
        device_id=job.device_id,
        conditions=from_dict(job.conditions, Conditions),
        items=tuple(items.values()),
        leases=tuple((lease.group_index, lease_results(session, lease)) for lease in leases),
        kept=tuple(lease_results(session, lease) for lease in kept),
        accept_noise=from_dict(leases[0].policy, Policy).accept_noise,
        begun_at=job.started_at or job.created_at,
    )


def _conclusion(session: Session, job: JobRow, evidence: Evidence) -> Callable[[datetime], Conclusion]:
    """Read what a conclusion takes, and return how to come to it."""
    if job.kind == "profile":
        return partial(conclude_profile, evidence)
    if job.kind == "model":
        return partial(conclude_model, evidence)
    if job.kind == "gate":
        fail_above = float(job.request["fail_above"])
        return lambda _: conclude_gate(evidence, fail_above)
    if job.kind == "check":
        assert job.snapshot is not None
        table, profiled = checked_tables(session, job.snapshot)
        # A check that looked stale was measured once more; then the later leases decide.
        evidence = replace(evidence, leases=evidence.leases[-MEASUREMENT_LEASES:])
        return partial(conclude_check, evidence, check_networks(table.search_space), table, profiled)
    create = from_dict(job.request, MeasurementCreate)
    level = _level_table(session, job, evidence)
    return partial(conclude_measurement, evidence, requested_architectures(create), level, create.file)


def _level_table(session: Session, job: JobRow, evidence: Evidence) -> LatencyTable | None:
    """Return the table whose level measured networks take: of the search that asked, or the newest."""
    parent = session.get(JobRow, job.parent_job_id) if job.parent_job_id else None
    if parent is not None and parent.snapshot is not None:
        for snapshot in (parent.snapshot, *parent.other_snapshots):
            table = load_table(session, snapshot)
            if (table.device_id, table.conditions.key) == (job.device_id, job.conditions_key):
                return table
    with reading_for(session, job):
        return newest_accepted(session, job.device_id, job.space, evidence.measured_conditions)


def _is_unmoved(session: Session, job: JobRow, evidence: Evidence) -> bool:
    statuses = session.scalars(select(LeaseRow.status).where(LeaseRow.job_id == job.job_id)).all()
    return job.status == "running" and list(statuses) == ["done"] * len(evidence.leases)


def _apply(
    session: Session,
    store: Store,
    job: JobRow,
    evidence: Evidence,
    conclusion: Conclusion,
    now: Clock,
) -> None:
    num_leases = len(evidence.leases)
    match conclusion:
        case MeasureOn(view):
            job.num_windows = num_leases + view.num_more
            job.message = describe(view)
            job.result = {**(job.result or {}), "outlook": to_dict(view)}
            window = len(evidence.windows)
            factory = ItemFactory(session, store, evidence.conditions, now())
            items = profile_items(search_space(job.space), factory, window)
            how_long = policy(
                window,
                evidence.conditions,
                window_s=PROFILE_WINDOW_S,
                accept_noise=evidence.accept_noise,
            )
            create_lease(session, job, items, how_long, now(), window)
        case Fitted(table):
            with reading_for(session, job):
                lineage = profiled_lineage(session, table)
            job.snapshot = store_table(session, table, now(), job.job_id, lineage)
            if table.is_accepted:
                finish_job(session, job.job_id, now(), message=acceptance(table, job.snapshot))
            else:
                fail_job(session, job.job_id, refusal(table, evidence), now())
        case Drift(outcome="stale") if num_leases == MEASUREMENT_LEASES:
            measure_again(session, store, job, conclusion, now())
        case Drift():
            settle_check(session, job, conclusion, now())
        case Compared(latencies, lacking, level_snapshot):
            store_latencies(session, job, latencies, level_snapshot)
            finish_job(session, job.job_id, now(), message=lacking)
        case ModelLatency():
            store_model_latency(session, job, conclusion)
            finish_job(session, job.job_id, now(), message=conclusion.note)
        case GateOn():
            measure_until(session, job, conclusion, now())
        case GateVerdict(outcome):
            verdict = {"verdict": to_dict(conclusion)}
            finish_job(session, job.job_id, now(), message=outcome, result=verdict)
        case Failed(message):
            fail_job(session, job.job_id, message, now())
