"""What has to happen unasked: leases expire, crashed jobs go on, dead workers are noticed, uploads go."""

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import structlog
from starlette.concurrency import run_in_threadpool

from search_server.clock import Clock
from search_server.db.outage import repeat_forever
from search_server.db.session import Database
from search_server.leases.leases import expire_overdue
from search_server.operating.collector import HouseBook
from search_server.operating.retention import compact
from search_server.own_models.parts import drop_old_parts
from search_server.profiling.advance import advance_waiting_jobs
from search_server.searches.silence import requeue_silent
from search_server.store import Store

INTERVAL_S = 5.0
COMPACT_INTERVAL_S = 3600.0

_log = structlog.get_logger()


def keep_house(database: Database, data_dir: Path, store: Store, now: Clock, book: HouseBook) -> None:
    """Do it once, and note that in a book. Any number of processes may do it at the same time."""
    with database.transaction() as session:
        num_leases = expire_overdue(session, now())
        num_searches = requeue_silent(session, book.workers, now())
    num_uploads = drop_old_parts(data_dir, now())
    num_jobs = advance_waiting_jobs(database, store, now)
    if num_leases or num_searches or num_jobs or num_uploads:
        _log.info(
            "house kept", leases=num_leases, searches=num_searches, jobs=num_jobs, uploads=num_uploads
        )
    book.kept_at = now()


async def keep_house_forever(
    database: Database,
    data_dir: Path,
    store: Store,
    now: Clock,
    book: HouseBook,
    interval_s: float = INTERVAL_S,
) -> None:
    """Do it again and again."""
    await repeat_forever(
        "housekeeping",
        lambda: run_in_threadpool(keep_house, database, data_dir, store, now, book),
        interval_s,
    )


def compact_old(database: Database, store: Store, age: timedelta, now: Clock) -> None:
    """Give up samples of this age, once."""
    done = compact(database, store, age, now())
    if done.num_results or done.num_checkpoints:
        _log.info("old samples compacted", **asdict(done))


async def compact_forever(database: Database, store: Store, age: timedelta, now: Clock) -> None:
    """Do it every hour, beside the housekeeping, which must not wait for it."""
    await repeat_forever(
        "compacting",
        lambda: run_in_threadpool(compact_old, database, store, age, now),
        COMPACT_INTERVAL_S,
    )
