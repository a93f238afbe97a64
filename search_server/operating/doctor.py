"""What an operator would look at one by one: database, disk, clock, workers, devices."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from sqlalchemy import exists, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from search_server.clock import Clock
from search_server.data_roots import DataRoots
from search_server.db.migrate import is_at_head
from search_server.db.models import DeviceRow, JobRow, LeaseRow
from search_server.db.session import Database
from search_server.devices.registry import ONLINE_FOR
from search_server.searches.worker_book import ALIVE_FOR, newest_worker
from search_server.store import Store

Level = Literal["ok", "warn", "fail"]

_PROBE = "doctor.probe"

MAX_CLOCK_S = 5.0
"""Clocks that differ by less agree: leases last for minutes."""
MIN_FREE_SHARE, MIN_FREE_BYTES = 0.1, 1 << 30
"""Less is a warning; a tenth of either is a failure."""
NEGLECTED_AFTER = timedelta(minutes=2)
"""A server ends overdue leases every few seconds."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what to do."""

    subject: str
    level: Level
    detail: str
    next_step: str = ""


def examine(database: Database, data_dir: Path, now: Clock) -> Iterator[Finding]:
    """Yield a finding for each subject; without a database those that need none."""
    yield from _files(data_dir, database)
    yield _disk(data_dir)
    try:
        with database.reading() as session:
            session.execute(text("SELECT 1"))
        yield Finding("database", "ok", f"{database.engine.name} answers")
        at_head = is_at_head(database.engine)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        next_step = "is it running, and is EDGENAS_DATABASE_URL right?"
        yield Finding("database", "fail", f"does not answer: {reason}", next_step)
        return
    if not at_head:
        next_step = "run 'search-server migrate', then start server and workers again"
        yield Finding("schema", "fail", "is that of another version", next_step)
        return
    yield Finding("schema", "ok", "is that of this version")
    looks: tuple[Callable[[Session, datetime], Finding], ...] = (_clock, _server, _worker, _devices)
    for look in looks:
        with database.reading() as session:
            yield look(session, now())


def _files(data_dir: Path, database: Database) -> Iterator[Finding]:
    """Look whether the server alone reads and writes its files."""
    is_file = database.engine.name == "sqlite" and database.engine.url.database
    paths = [data_dir, *([Path(str(database.engine.url.database))] if is_file else [])]
    for path in (path for path in paths if path.exists()):
        subject = "data folder" if path == data_dir else "database file"
        if not os.access(path, os.R_OK | os.W_OK):
            next_step = "run as the user who owns it, or change its owner"
            yield Finding(subject, "fail", f"{path} cannot be read and written", next_step)
        elif path.stat().st_mode & 0o077:
            next_step = f"chmod -R go= {path}"
            yield Finding(subject, "warn", f"{path} is open to other users of this machine", next_step)
        else:
            yield Finding(subject, "ok", f"{path} is the server's alone")
    if not data_dir.exists():
        next_step = "mount its disk, or name the right folder with --data"
        yield Finding("data folder", "fail", f"{data_dir} is not there", next_step)


def image_folders(roots: DataRoots) -> Iterator[Finding]:
    """Yield a finding for each folder from which searches may read images."""
    for root in roots.folders:
        if root.is_dir() and os.access(root, os.R_OK | os.X_OK):
            yield Finding("images", "ok", f"searches may read {root}")
        else:
            next_step = "mount it, let the server's user read it, or take it out of EDGENAS_DATA_ROOTS"
            yield Finding("images", "warn", f"{root} is no folder that can be read", next_step)


def shared_store(store: Store) -> Finding:
    """Look whether a store that is not the data folder can be written and read."""
    try:
        store.write(_PROBE, b"doctor")
        is_read = store.read(_PROBE) == b"doctor"
        store.remove(_PROBE)
    except Exception as error:
        # Each kind of store has errors of its own.
        next_step = "put EDGENAS_STORE right, and the credentials that its kind of store reads"
        return Finding("store", "fail", f"{store.url}: {error}", next_step)
    if not is_read:
        return Finding("store", "fail", f"{store.url} does not return what was written", "ask its host")
    return Finding("store", "ok", f"{store.url} can be written and read")


def _disk(data_dir: Path) -> Finding:
    try:
        usage = shutil.disk_usage(data_dir)
    except OSError as error:
        return Finding("disk", "fail", f"{data_dir}: {error.strerror}", "mount its disk")
    share = min(usage.free / usage.total / MIN_FREE_SHARE, usage.free / MIN_FREE_BYTES)
    level: Level = "ok" if share >= 1 else "warn" if share >= 0.1 else "fail"
    detail = f"{usage.free / 1e9:.1f} GB of {usage.total / 1e9:.1f} GB are free"
    next_step = "make room, or run 'search-server compact --older-than 90d'"
    return Finding("disk", level, detail, "" if level == "ok" else next_step)


def _clock(session: Session, now: datetime) -> Finding:
    """Compare this clock with the database's, and with the newest time that was stored."""
    if session.get_bind().dialect.name == "postgresql":
        there = session.scalars(select(func.clock_timestamp())).one()
        off_s = abs((there - now).total_seconds())
        if off_s > MAX_CLOCK_S:
            return _wrong_clock(f"differs from the database's by {off_s:.0f} s")
    newest = session.scalar(select(func.max(DeviceRow.last_seen_at)))
    ahead_s = (newest - now).total_seconds() if newest is not None else 0.0
    if ahead_s > MAX_CLOCK_S:
        return _wrong_clock(f"is {ahead_s:.0f} s behind the newest time in the database")
    return Finding("clock", "ok", f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")


def _wrong_clock(detail: str) -> Finding:
    return Finding("clock", "fail", detail, "set the clock by NTP: timedatectl set-ntp true")


def _server(session: Session, now: datetime) -> Finding:
    """Look for what a server that runs would have put in order."""
    late = now - NEGLECTED_AFTER
    lease = exists().where(LeaseRow.status == "leased", LeaseRow.expires_at < late)
    search = exists().where(
        JobRow.kind == "search", JobRow.status == "running", JobRow.worker_expires_at < late
    )
    if session.scalar(select(lease | search)):
        next_step = (
            "start 'search-server serve'; if it runs, look for 'housekeeping' in its log, and compare the "
            "clocks of server and worker"
        )
        return Finding("housekeeping", "fail", "nobody ended what is long overdue", next_step)
    return Finding("housekeeping", "ok", "nothing is overdue")


def _worker(session: Session, now: datetime) -> Finding:
    queued = select(func.count()).where(JobRow.kind == "search", JobRow.status == "queued")
    num_queued = session.scalar(queued) or 0
    newest = newest_worker(session)
    if newest is not None and now - newest[1] <= ALIVE_FOR:
        return Finding("worker", "ok", f"{newest[0]} was heard of {_ago(now, newest[1])}")
    last = f"{newest[0]} was heard of {_ago(now, newest[1])}" if newest else "none was ever heard of"
    waiting = f"; {num_queued} searches wait" if num_queued else ""
    return Finding("worker", "warn", f"{last}{waiting}", "searches need one: start 'search-server worker'")


def _devices(session: Session, now: datetime) -> Finding:
    present = select(func.count()).where(DeviceRow.removed_at.is_(None), DeviceRow.is_imported.is_(False))
    num_present = session.scalar(present) or 0
    num_online = session.scalar(present.where(DeviceRow.last_seen_at >= now - ONLINE_FOR)) or 0
    newest = session.scalar(select(func.max(DeviceRow.last_seen_at)))
    if num_present == 0:
        next_step = "add one: 'edgenas devices add', or 'search-server token create --scope enrol'"
        return Finding("devices", "warn", "none is enrolled", next_step)
    detail = f"{num_online} of {num_present} were heard of in the last minute"
    if num_online == 0 and newest is not None:
        next_step = "look at the network; start 'profiler-agent run' on a device"
        return Finding("devices", "warn", f"{detail}, one {_ago(now, newest)}", next_step)
    return Finding("devices", "ok", detail)


def _ago(now: datetime, then: datetime) -> str:
    seconds = max(0.0, (now - then).total_seconds())
    for unit, length_s in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
