"""How the samples of every cell of a table lie, from one reading of the profile that measured it."""

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy.orm import Session

from search_server.db.models import LeaseRow
from search_server.latency.stored.snapshots import load_table
from search_server.latency.table import LatencyTable
from search_server.leases.ingest import received_results
from search_server.profiling.cell_samples import measuring_profile, segment_runs_us, spread_of
from search_server.profiling.samples import measured_leases
from search_server.resources.samples import CellSpread
from shared.protocol.measurement import LeaseItem
from shared.protocol.wire import from_dict
from shared.workload import IDENTITY_KEY

Segments = Mapping[str, str]
"""The keys of a network's segments by layer; what costs nothing is left out."""


def cell_spreads(session: Session, snapshot: str) -> tuple[CellSpread, ...]:
    """Return the spread of each cell, stem first; of a rescaled table that of its profile.

    Raises:
        NotFoundError: no such snapshot.
        ConflictError: no profile of this server measured the table.
    """
    table = load_table(session, snapshot)
    samples_us = _samples_us(session, snapshot, table)
    spreads = {key: spread_of(each) for key, each in samples_us.items()}
    return tuple(
        CellSpread(placed.segment.name, placed.block, spreads.get(placed.key))
        for placed in table.search_space.segments()
    )


def _samples_us(session: Session, snapshot: str, table: LatencyTable) -> Mapping[str, list[float]]:
    """Return the profiled runs of each segment key, in microseconds."""
    samples_us: dict[str, list[float]] = defaultdict(list)
    networks: dict[str, Segments] = {}
    for lease_id in measured_leases(session, measuring_profile(session, snapshot, table)):
        lease = session.get_one(LeaseRow, lease_id)
        for item in lease.items:
            if item["item_id"] not in networks:  # one network in all leases, and reading it takes long
                networks[item["item_id"]] = _segments(from_dict(item, LeaseItem))
        profiled = [item["item_id"] for item in lease.items if networks[item["item_id"]]]
        for received in received_results(session, lease, profiled):
            if received.result.status == "ok":  # nothing else feeds a table
                for layer, key in networks[received.result.item_id].items():
                    samples_us[key].extend(segment_runs_us(received.result, layer))
    return samples_us


def _segments(item: LeaseItem) -> Segments:
    """Return the segments of a network that is profiled; none of another one."""
    if not item.profile_segments:
        return {}
    keys = zip(item.network.segments, item.network.segment_keys(), strict=True)
    return {segment.name: key for segment, key in keys if key != IDENTITY_KEY}
