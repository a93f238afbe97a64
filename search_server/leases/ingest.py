"""Results arrive: checked, stored once, and the lease is done when all its items are there.

A result is told by lease, fence and item; sending it again changes nothing. Results of an earlier
hand-out of the same lease stay where they are but are never read again, so that one lease never mixes
two states of the device.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session, defer

from search_server.db.models import LeaseRow, ResultRow
from search_server.errors import ConflictError, InvalidValueError, NotFoundError
from search_server.leases.node_rows import write_nodes
from search_server.leases.stored_result import pack_result, unpack_result
from search_server.resources.samples import SampleSummary
from shared.protocol.measurement import Result, ResultReceipt, RunSamples
from shared.protocol.wire import from_dict

MAX_SAMPLES = 100_000
"""Most runs of one item that are taken."""
MAX_NODES = 10_000

_MAX_KNOWN = 4096
_known_items: dict[str, frozenset[str]] = {}
"""The ids of the items of leases that results came for lately."""


def ingest_results(
    session: Session, device_id: str, lease_id: str, results: Sequence[Result], now: datetime
) -> tuple[tuple[ResultReceipt, ...], str | None]:
    """Store results of one lease, all or none; return a receipt for each, and the job to advance if any.

    A job is to be advanced once the lease is complete.

    Raises:
        NotFoundError: this device has no such lease, or the lease no such item.
        ConflictError: the lease was cancelled or has passed to another hand.
        InvalidValueError: a result is of another lease, or its samples contradict each other or are too
            many.
    """
    lease = _lock_lease(session, device_id, lease_id)
    item_ids, stored = _item_ids(session, lease_id), _stored_keys(session, lease_id)
    receipts, new = [], []
    for result in results:
        _check_place(result, lease_id, item_ids)
        key = result.fence, result.item_id
        is_new = key not in stored
        receipts.append(ResultReceipt(lease_id, result.item_id, is_new))
        if is_new:
            _check_fence(lease, result)
            _check_samples(result)
            stored.add(key)
            new.append(result)
    if not new:
        return tuple(receipts), None
    by_id = _store(session, new, now)
    lease.device_s = max(lease.device_s, *(result.device_s for result in new))
    is_complete = all((lease.fence, item_id) in stored for item_id in item_ids)
    if is_complete:
        lease.status, lease.progress, lease.finished_at, lease.expires_at = "done", 1.0, now, None
        write_nodes(session, lease, by_id)
    return tuple(receipts), lease.job_id if is_complete else None


def lease_results(session: Session, lease: LeaseRow) -> tuple[Result, ...]:
    """Return the results of a lease's last hand-out, in the order in which they came.

    Raises:
        DamagedError: one of them is not what was stored.
    """
    return tuple(received.result for received in received_results(session, lease))


@dataclass(frozen=True, slots=True)
class ReceivedResult:
    """A result as it is stored."""

    result: Result
    received_at: datetime
    summary: SampleSummary | None
    """Of its samples, if they were compacted."""


def received_results(
    session: Session, lease: LeaseRow, item_ids: Collection[str] | None = None
) -> list[ReceivedResult]:
    """Return the same with the time at which each came; with ``item_ids`` those of these items only.

    Raises:
        DamagedError: one of them is not what was stored.
    """
    statement = (
        select(ResultRow)
        .where(ResultRow.lease_id == lease.lease_id, ResultRow.fence == lease.fence)
        .order_by(ResultRow.result_id)
    )
    if item_ids is not None:
        statement = statement.where(ResultRow.item_id.in_(item_ids))
    return [
        ReceivedResult(
            unpack_result(row.result_id, row.body, row.body_sha256),
            row.received_at,
            from_dict(row.summary, SampleSummary) if row.summary else None,
        )
        for row in session.scalars(statement)
    ]


def _lock_lease(session: Session, device_id: str, lease_id: str) -> LeaseRow:
    statement = select(LeaseRow).where(LeaseRow.lease_id == lease_id, LeaseRow.device_id == device_id)
    # The workloads of a lease are long, and reading them takes longer than all else here.
    lease = session.scalar(statement.options(defer(LeaseRow.items)).with_for_update())
    if lease is None:
        raise NotFoundError("unknown_lease", f"this device has no lease {lease_id!r}")
    return lease


def _item_ids(session: Session, lease_id: str) -> frozenset[str]:
    """Return what a lease measures; that never changes, so it is read once."""
    known = _known_items.get(lease_id)
    if known is None:
        items = session.scalars(select(LeaseRow.items).where(LeaseRow.lease_id == lease_id)).one()
        known = frozenset(item["item_id"] for item in items)
        if len(_known_items) >= _MAX_KNOWN:
            _known_items.clear()
        _known_items[lease_id] = known
    return known


def _stored_keys(session: Session, lease_id: str) -> set[tuple[int, str]]:
    """Return fence and item of what is stored, of earlier hand-outs too: their results may come again."""
    statement = select(ResultRow.fence, ResultRow.item_id).where(ResultRow.lease_id == lease_id)
    return {(fence, item_id) for fence, item_id in session.execute(statement)}


def _store(session: Session, results: Sequence[Result], now: datetime) -> dict[int, Result]:
    """Write results and return them by the id that each got."""
    rows = []
    for result in results:
        body, body_sha256 = pack_result(result)
        rows.append(
            {
                "lease_id": result.lease_id,
                "fence": result.fence,
                "item_id": result.item_id,
                "status": result.status,
                "body": body,
                "body_sha256": body_sha256,
                "received_at": now,
            }
        )
    written = insert(ResultRow).returning(ResultRow.result_id, sort_by_parameter_order=True)
    return dict(zip(session.scalars(written, rows), results, strict=True))


def _check_place(result: Result, lease_id: str, item_ids: Collection[str]) -> None:
    if result.lease_id != lease_id:
        raise InvalidValueError(
            "lease_mismatch", f"the result is of lease {result.lease_id!r}, but was sent to {lease_id!r}"
        )
    if result.item_id not in item_ids:
        raise NotFoundError("unknown_item", f"lease {lease_id} has no item {result.item_id!r}")


def _check_fence(lease: LeaseRow, result: Result) -> None:
    if result.fence != lease.fence:
        raise ConflictError(
            "stale_fence",
            f"lease {lease.lease_id} was handed out again: its fence is {lease.fence}, the result has "
            f"{result.fence}; drop the results and ask for a new lease",
        )
    # A lease that expired but was not handed out again still takes the results of its last hand-out.
    if lease.status not in ("leased", "pending"):
        raise ConflictError(
            "lease_over",
            f"lease {lease.lease_id} is {lease.status}; drop its results and ask for a new lease",
        )


def _check_samples(result: Result) -> None:
    columns = {name: len(getattr(result.runs, name)) for name in RunSamples.__dataclass_fields__}
    if len(set(columns.values())) > 1:
        lengths = ", ".join(f"{name} {length}" for name, length in columns.items())
        raise InvalidValueError(
            "uneven_samples", f"the columns of runs must be equally long, got {lengths}"
        )
    num_runs = columns["wall_us"]
    if num_runs > MAX_SAMPLES or len(result.nodes) > MAX_NODES:
        raise InvalidValueError(
            "too_many_samples",
            f"a result has at most {MAX_SAMPLES} runs and {MAX_NODES} nodes, got {num_runs} and "
            f"{len(result.nodes)}",
        )
    node_lengths = {len(node.wall_us) for node in result.nodes}
    if node_lengths and max(node_lengths) > MAX_SAMPLES:
        raise InvalidValueError(
            "too_many_samples", f"a node has at most {MAX_SAMPLES} samples, got {max(node_lengths)}"
        )
    times = (*result.runs.wall_us, *(us for node in result.nodes for us in node.wall_us))
    if not all(0 <= us < float("inf") for us in times):
        raise InvalidValueError("impossible_time", "wall times must be finite and at least 0 us")
    if result.status == "ok" and num_runs == 0 and not result.nodes:
        raise InvalidValueError("no_samples", f"item {result.item_id!r} is ok but has no samples")
