"""Whether everything that is stored is still what was stored: results, latency tables, model files."""

import hashlib
from collections.abc import Iterator, Sequence

from sqlalchemy import select

from search_server.db.models import ArtifactRow, LatencyTableRow, ResultRow
from search_server.db.session import Database
from search_server.latency.table import LatencyTable
from search_server.leases.artifacts import artifact_name
from search_server.leases.stored_result import is_whole
from search_server.operating.doctor import Finding
from search_server.store import Store

_BATCH = 200
_MOST_NAMED = 5
_NEXT_STEP = "bring a backup back with 'search-server restore', or remove what they belong to"


def examine_deeply(database: Database, store: Store) -> Iterator[Finding]:
    """Yield a finding for each kind of stored thing, after all of them were read."""
    yield _finding("results", *_damaged_results(database))
    yield _finding("latency tables", *_damaged_tables(database))
    yield _finding("model files", *_damaged_files(database, store))


def _finding(subject: str, num_read: int, damaged: Sequence[str]) -> Finding:
    if not damaged:
        return Finding(subject, "ok", f"all {num_read} are as they were stored")
    names = ", ".join(damaged[:_MOST_NAMED]) + (", ..." if len(damaged) > _MOST_NAMED else "")
    detail = f"{len(damaged)} of {num_read} are missing or damaged: {names}"
    return Finding(subject, "fail", detail, _NEXT_STEP)


def _damaged_results(database: Database) -> tuple[int, list[str]]:
    last, num_read = 0, 0
    damaged: list[str] = []
    columns = select(ResultRow.result_id, ResultRow.body, ResultRow.body_sha256)
    while True:
        batch = columns.where(ResultRow.result_id > last).order_by(ResultRow.result_id).limit(_BATCH)
        with database.reading() as session:
            rows = session.execute(batch).all()
        if not rows:
            return num_read, damaged
        last, num_read = rows[-1][0], num_read + len(rows)
        damaged += [str(result_id) for result_id, body, sha256 in rows if not is_whole(body, sha256)]


def _damaged_tables(database: Database) -> tuple[int, list[str]]:
    with database.reading() as session:
        snapshots = session.scalars(select(LatencyTableRow.snapshot)).all()
    damaged = []
    for snapshot in snapshots:
        find = select(LatencyTableRow.content).where(LatencyTableRow.snapshot == snapshot)
        with database.reading() as session:
            content = session.scalar(find)
        if content is not None and not _is_table(content, snapshot):
            damaged.append(snapshot)
    return len(snapshots), damaged


def _is_table(content: str, snapshot: str) -> bool:
    try:
        return LatencyTable.from_json(content).snapshot == snapshot
    except (ValueError, KeyError, TypeError):
        return False


def _damaged_files(database: Database, store: Store) -> tuple[int, list[str]]:
    with database.reading() as session:
        hashes = session.scalars(select(ArtifactRow.sha256)).all()
    return len(hashes), [sha256[:12] for sha256 in hashes if not _is_file(store, sha256)]


def _is_file(store: Store, sha256: str) -> bool:
    try:
        return hashlib.sha256(store.read(artifact_name(sha256))).hexdigest() == sha256
    except OSError:
        return False
