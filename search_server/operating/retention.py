"""What old measurements may lose: their single samples. What was concluded from them stays as it is.

Tables, predictions, measured latencies, node latencies and exported networks are stored on their own and
never look at samples again. A result keeps its status, its conditions and a summary of its runs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from search_server.db.models import JobRow, LeaseRow, ResultRow
from search_server.db.session import Database
from search_server.errors import DamagedError
from search_server.jobs.registry import ENDED
from search_server.leases.stored_result import pack_result, unpack_result
from search_server.resources.samples import Quantiles, SampleSummary
from search_server.searches.searches import checkpoint_name
from search_server.store import Store
from shared.protocol.measurement import Result, RunSamples
from shared.protocol.wire import to_dict

MIN_AGE = timedelta(days=1)
"""Younger samples may still be wanted: a profile goes on from the windows of an interrupted one."""
BATCH = 50
"""Results that are rewritten in one transaction, so that agents get through in between."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Compacted:
    """What was given up, or would be."""

    num_results: int = 0
    num_bytes: int = 0
    num_checkpoints: int = 0
    checkpoint_bytes: int = 0


def compact(
    database: Database, store: Store, age: timedelta, now: datetime, *, is_dry: bool = False
) -> Compacted:
    """Replace old samples by summaries and remove checkpoints of searches that are done.

    Doing it again, or in two processes at the same time, changes nothing more. Jobs that have not ended
    keep everything.

    Args:
        database: may be written to meanwhile.
        store: where checkpoints lie.
        age: how old a measurement or the end of a search must be, at least a day.
        now: the time.
        is_dry: only tell.

    Raises:
        ValueError: the age is less than a day.
    """
    if age < MIN_AGE:
        raise ValueError(f"samples are kept for at least {MIN_AGE.days}d, got {age}")
    num_results, num_bytes = 0, 0
    for batch in _batches(database, now - age):
        rewritten = [row for row in map(_rewritten, batch) if row is not None]
        num_results += len(rewritten)
        num_bytes += sum(row.saved_bytes for row in rewritten)
        if not is_dry and rewritten:
            with database.transaction() as session:
                for row in rewritten:
                    row.write(session)
    checkpoints = _old_checkpoints(database, store, now - age)
    checkpoint_bytes = sum(map(store.size_bytes, checkpoints))
    if not is_dry:
        for name in checkpoints:
            store.remove(name)
    return Compacted(num_results, num_bytes, len(checkpoints), checkpoint_bytes)


@dataclass(frozen=True, slots=True)
class _Rewritten:
    """A result without samples."""

    result_id: int
    body: bytes
    body_sha256: str
    summary: SampleSummary
    saved_bytes: int

    def write(self, session: Session) -> None:
        statement = update(ResultRow).where(
            ResultRow.result_id == self.result_id, ResultRow.summary.is_(None)
        )
        values = {"body": self.body, "body_sha256": self.body_sha256, "summary": to_dict(self.summary)}
        session.execute(statement.values(**values))


def _batches(database: Database, until: datetime) -> Iterator[Sequence[ResultRow]]:
    last = 0
    while True:
        old = (
            select(ResultRow)
            .join(LeaseRow, LeaseRow.lease_id == ResultRow.lease_id)
            .join(JobRow, JobRow.job_id == LeaseRow.job_id)
            .where(ResultRow.result_id > last, ResultRow.received_at < until, ResultRow.summary.is_(None))
            .where(JobRow.status.in_(ENDED))
            .order_by(ResultRow.result_id)
            .limit(BATCH)
        )
        with database.reading() as session:
            rows = session.scalars(old).all()
        if not rows:
            return
        last = rows[-1].result_id
        yield rows


def _rewritten(row: ResultRow) -> _Rewritten | None:
    try:
        result = unpack_result(row.result_id, row.body, row.body_sha256)
    except DamagedError as error:
        _log.warning("left as it is", error=str(error))
        return None
    body, sha256 = pack_result(replace(result, runs=RunSamples(), nodes=(), profiled_wall_us=()))
    return _Rewritten(row.result_id, body, sha256, _summary(result), len(row.body) - len(body))


def _summary(result: Result) -> SampleSummary:
    return SampleSummary(_quantiles(result.runs.wall_us), _quantiles(result.profiled_wall_us))


def _quantiles(samples_us: Sequence[float]) -> Quantiles | None:
    if not samples_us:
        return None
    q10_us, median_us, q90_us = np.quantile(samples_us, (0.1, 0.5, 0.9)).tolist()
    return Quantiles(len(samples_us), q10_us, median_us, q90_us)


def _old_checkpoints(database: Database, store: Store, until: datetime) -> list[str]:
    done = select(JobRow.job_id).where(JobRow.kind == "search", JobRow.status == "done")
    with database.reading() as session:
        job_ids = session.scalars(done.where(JobRow.finished_at < until)).all()
    return [name for name in map(checkpoint_name, job_ids) if store.has(name)]
