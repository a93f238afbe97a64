"""The samples behind one cell of a latency table: every profiled run of the networks that hold it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import JobRow, LeaseRow
from search_server.errors import ConflictError, InvalidValueError
from search_server.latency.stored.lineage import same_profile
from search_server.latency.stored.snapshots import load_table
from search_server.latency.table import LatencyTable
from search_server.leases.ingest import received_results
from search_server.profiling.samples import measured_leases
from search_server.resources.samples import CellSamples, CellWindow, Spread
from shared.protocol.measurement import LeaseItem, Result
from shared.protocol.wire import FieldError, from_dict
from shared.workload import IDENTITY_KEY

Places = Mapping[str, Sequence[str]]
"""By item id: the layers of the network in which the cell stands."""


def cell_samples(session: Session, snapshot: str, layer: str, block: str) -> CellSamples:
    """Return what was measured of a cell; of a rescaled or recalibrated table, when it was profiled.

    Args:
        session: open for reading.
        snapshot: of the table.
        layer: ``stem``, ``layer01`` ..., ``head``.
        block: the candidate; empty for stem and head.

    Raises:
        NotFoundError: no such snapshot.
        InvalidValueError: the table has no such cell.
        ConflictError: no profile of this server measured the table.
    """
    table = load_table(session, snapshot)
    key = _cell_key(table, layer, block)
    job_id = measuring_profile(session, snapshot, table)
    windows = () if key == IDENTITY_KEY else tuple(_windows(session, job_id, key))
    samples_us = tuple(chain.from_iterable(window.wall_us for window in windows))
    return CellSamples(snapshot, layer, block, job_id, spread_of(samples_us), windows)


def measuring_profile(session: Session, snapshot: str, table: LatencyTable) -> str:
    """Return the job that measured a table, or the one that it was rescaled or recalibrated from.

    Raises:
        ConflictError: no profile of this server measured the table.
    """
    profiled = same_profile(session, snapshot)[-1]
    made = select(JobRow.job_id).where(JobRow.snapshot == profiled, JobRow.kind == "profile")
    job_id = session.scalar(made.order_by(JobRow.job_id).limit(1))  # later ones only found it there
    if job_id is None:
        raise ConflictError(
            "no_samples",
            f"table {snapshot} has no samples: no profile of this server measured it; it came from "
            f"{'another server' if table.source == 'measured' else table.source}",
        )
    return job_id


def _cell_key(table: LatencyTable, layer: str, block: str) -> str:
    cells = {(placed.segment.name, placed.block): placed.key for placed in table.search_space.segments()}
    if (layer, block) not in cells:
        known = ", ".join(dict.fromkeys(name for name, _ in cells))
        message = (
            f"space {table.space} has no block {block!r} in layer {layer!r}; its layers are {known}, its "
            f"blocks {', '.join(table.candidates)} (stem and head have an empty block)"
        )
        raise InvalidValueError("unknown_cell", message, (FieldError("query.layer", message),))
    return cells[layer, block]


def _windows(session: Session, job_id: str, key: str) -> Iterator[CellWindow]:
    known: dict[str, Sequence[str]] = {}
    for lease_id in measured_leases(session, job_id):
        lease = session.get_one(LeaseRow, lease_id)
        places = _places(lease, key, known)
        for received in received_results(session, lease, places.keys()):
            result = received.result
            if result.status == "ok":  # nothing else feeds a table
                for layer in places[result.item_id]:
                    yield _window(result, layer)


def _places(lease: LeaseRow, key: str, known: dict[str, Sequence[str]]) -> Places:
    """Return the profiled items of a lease that hold a cell; ``known`` is what earlier leases told.

    The items of a profile have one id in all its leases, and reading workloads takes long.
    """
    for item in lease.items:
        if item["item_id"] not in known:
            known[item["item_id"]] = _layers_of(from_dict(item, LeaseItem), key)
    return {item["item_id"]: layers for item in lease.items if (layers := known[item["item_id"]])}


def _layers_of(item: LeaseItem, key: str) -> Sequence[str]:
    if not item.profile_segments:
        return ()
    network = item.network
    keys = zip(network.segments, network.segment_keys(), strict=True)
    return tuple(segment.name for segment, each in keys if each == key)


def segment_runs_us(result: Result, layer: str) -> tuple[float, ...]:
    """Return what the nodes of a segment took together in each profiled run, in microseconds."""
    nodes_us = [node.wall_us for node in result.nodes if node.segment == layer]
    return tuple(sum(run_us) for run_us in zip(*nodes_us, strict=False))


def _window(result: Result, layer: str) -> CellWindow:
    return CellWindow(
        lease_id=result.lease_id,
        item_id=result.item_id,
        layer=layer,
        started_at=result.started_at,
        wall_us=segment_runs_us(result, layer),
        cores_seen=result.cores_seen,
        before=result.environment_before,
        after=result.environment_after,
    )


def spread_of(samples_us: Sequence[float]) -> Spread | None:
    """Return how samples in microseconds lie; None if there are none."""
    if not samples_us:
        return None
    values = np.array(samples_us)
    p10_us, p50_us, p90_us = (float(each) for each in np.quantile(values, (0.1, 0.5, 0.9)))
    mean_us = float(values.mean())
    cv = float(values.std()) / mean_us if mean_us else 0.0
    return Spread(len(values), float(values.min()), p10_us, p50_us, p90_us, cv)
