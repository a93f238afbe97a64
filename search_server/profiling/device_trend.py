"""How a device was in the windows that it measured: its canary and its temperature."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from search_server.db.models import LeaseRow, ResultRow
from search_server.leases.stored_result import unpack_result
from search_server.resources.devices import DeviceTrend


def device_trend(session: Session, device_id: str, num_windows: int) -> DeviceTrend:
    """Return the newest windows of a device, oldest first; each by the first result that it gave.

    Raises:
        DamagedError: one of the results is not what was stored.
    """
    newest = (
        select(LeaseRow.lease_id, LeaseRow.fence)
        .where(LeaseRow.device_id == device_id, LeaseRow.status == "done")
        .order_by(LeaseRow.finished_at.desc(), LeaseRow.lease_id.desc())
        .limit(num_windows)
    )
    leases = session.execute(newest).all()
    fences = {lease.lease_id: lease.fence for lease in leases}
    first = (
        select(func.min(ResultRow.result_id))
        .where(ResultRow.lease_id.in_(list(fences)))
        .group_by(ResultRow.lease_id, ResultRow.fence)
    )
    rows = session.scalars(select(ResultRow).where(ResultRow.result_id.in_(first)))
    at_last = {row.lease_id: row for row in rows if row.fence == fences[row.lease_id]}
    shown = [at_last[lease.lease_id] for lease in reversed(leases) if lease.lease_id in at_last]
    results = [unpack_result(row.result_id, row.body, row.body_sha256) for row in shown]
    return DeviceTrend(
        measured_at=tuple(row.received_at.isoformat() for row in shown),
        canary_us=tuple(result.canary_us for result in results),
        temperature_c=tuple(result.environment_after.temperature_c for result in results),
    )
