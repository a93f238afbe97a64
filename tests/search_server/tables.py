"""A complete table that the test knows, stored without measuring."""

from datetime import datetime

from sqlalchemy.orm import Session

from search_server.latency.covers import cover_architectures
from search_server.latency.stored.snapshots import store_table
from search_server.latency.table import LatencyTable, TableEntry
from search_server.latency.verdict import Verdict
from shared.architecture import anchor_architecture
from shared.protocol.device import Conditions
from shared.search_space import search_space
from shared.workload import IDENTITY_KEY
from tests.search_server.synthetic import network_latency_us, segment_latency_us

ACCEPTED = Verdict(True, (), 0.0, 0.0, 0.0, 0.0, 1.0)
REFUSED = Verdict(False, ("covers scatter by 9 % (limit 3 %)",), 0.09, 0.0, 0.0, 0.0, 1.0)


def known_table(
    device_id: str,
    space_name: str = "fbnet-tiny",
    slowdown: float = 1.0,
    verdict: Verdict = ACCEPTED,
) -> LatencyTable:
    """The table of the synthetic device."""
    space = search_space(space_name)
    workloads = [network.workload() for network in cover_architectures(space, 0)]
    keys = {key for workload in workloads for key in workload.segment_keys()} - {IDENTITY_KEY}
    anchor_us = network_latency_us(anchor_architecture(space).workload()) * slowdown
    return LatencyTable(
        space=space.name,
        device_id=device_id,
        conditions=Conditions(),
        anchor_us=anchor_us,
        entries={
            key: TableEntry(segment_latency_us(key) * slowdown / anchor_us, 0.001, 40) for key in keys
        },
        network_sigma=0.01,
        created_at="2026-11-24T12:00:00+00:00",
        verdict=verdict,
    )


def store_known_table(
    session: Session, device_id: str, now: datetime, slowdown: float = 1.0, verdict: Verdict = ACCEPTED
) -> str:
    return store_table(session, known_table(device_id, slowdown=slowdown, verdict=verdict), now)
