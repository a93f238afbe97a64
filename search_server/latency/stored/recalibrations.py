"""A table recalibrated by the whole networks that were measured since it was profiled; only when asked."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import JobRow, LatencyTableRow, MeasuredLatencyRow
from search_server.errors import ConflictError
from search_server.latency.factor import fit_factor, recalibrated
from search_server.latency.stored.lineage import same_profile
from search_server.latency.stored.snapshots import (
    is_private_table,
    load_table,
    require_newest,
    store_table,
)
from search_server.latency.table import LatencyTable
from search_server.people import NOBODYS, Ownership
from search_server.resources.checks import Recalibration
from search_server.resources.latencies import MeasuredLatency
from search_server.resources.tables import Lineage
from shared.architecture import parse_architecture
from shared.protocol.wire import from_dict


def recalibrate_table(
    session: Session, snapshot: str, now: datetime, ownership: Ownership = NOBODYS
) -> Recalibration:
    """Store a new snapshot whose entries are the old ones times the factor that measured networks ask for.

    The networks are those measured against this table, or one that it came from by rescaling or
    recalibration, and predicted by it; of one that was measured several times the newest measurement
    counts. A table that everybody reads rests on no private measurement.

    Raises:
        NotFoundError: no such snapshot.
        ConflictError: it is not the newest accepted one, or no factor helps; with figures.
    """
    table = load_table(session, snapshot)
    require_newest(session, table)
    try:
        factor = fit_factor(list(_ratios(session, table, snapshot, ownership)))
    except ValueError as error:
        raise ConflictError("not_recalibrated", f"table {snapshot} stays as it is: {error}") from error
    change = (
        f"entries x {factor.value:.4f} +- {factor.error:.4f}, by {factor.num_networks} measured networks"
    )
    lineage = Lineage("recalibrated", snapshot, change)
    changed = recalibrated(table, factor, now.isoformat())
    stored = store_table(session, changed, now, lineage=lineage, ownership=ownership)
    return Recalibration(
        snapshot=stored,
        parent=snapshot,
        num_networks=factor.num_networks,
        factor=factor.value,
        error=factor.error,
        scatter=factor.scatter,
        network_sigma=factor.network_sigma,
    )


def _ratios(session: Session, table: LatencyTable, snapshot: str, ownership: Ownership) -> Iterator[float]:
    """Yield measured over predicted latency, both in units of the anchor, of each network."""
    statement = (
        select(MeasuredLatencyRow.body, LatencyTableRow.anchor_us)
        .join(LatencyTableRow, LatencyTableRow.snapshot == MeasuredLatencyRow.snapshot)
        .where(MeasuredLatencyRow.snapshot.in_(same_profile(session, snapshot)))
        .order_by(MeasuredLatencyRow.measured_id)
    )
    if not (ownership.is_private or is_private_table(session, snapshot)):
        jobs = select(JobRow.job_id).where(JobRow.is_private.is_(False))
        statement = statement.where(MeasuredLatencyRow.job_id.in_(jobs))
    newest: dict[str, float] = {}
    for body, anchor_us in session.execute(statement):
        measured = from_dict(body, MeasuredLatency)
        if measured.status == "ok" and measured.prediction is not None:
            newest[measured.architecture] = measured.latency_us / anchor_us
    for blocks, units in newest.items():
        predicted = table.predict(parse_architecture(blocks, table.search_space))
        yield units / (predicted.latency_us / table.anchor_us)
