"""A finished search as the origin of others: requests for a front, or for another target or device.

Nothing is searched anew: what the search has learnt of each candidate is decoded under other tables.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import DeviceRow, JobRow
from search_server.devices.registry import find_device
from search_server.devices.support import is_supported
from search_server.errors import ConflictError, refusing_values
from search_server.jobs.registry import Submission, find_job
from search_server.latency.stored.required_table import require_table
from search_server.latency.stored.snapshots import accepted_tables, newest_accepted
from search_server.latency.table import LatencyTable
from search_server.resources.fronts import AfterTraining, FrontCreate, RetargetCreate
from search_server.resources.searches import DeviceTarget, SearchCreate
from search_server.searches.searches import find_request, submit_search
from shared.protocol.device import Conditions
from shared.protocol.wire import from_dict

MAX_TABLES = 8
"""As many devices as a search takes."""


def submit_front(
    session: Session, job_id: str, create: FrontCreate, submission: Submission, now: datetime
) -> JobRow:
    """Queue the decoding of a front from a finished search.

    Raises:
        ConflictError: the search is not done, or no device has a table of its space.
    """
    origin = require_origin(session, job_id)
    space = origin.space
    named = [find_device(session, name) for name in dict.fromkeys(create.devices)]
    devices = named or list(session.scalars(select(DeviceRow).where(DeviceRow.removed_at.is_(None))))
    tables = [(device, table) for device in devices for table in newest_tables(session, device, space)]
    lacking = [device.name for device in named if device not in [device for device, _ in tables]]
    if lacking or not tables:
        who = f"device {lacking[0]}" if lacking else "no device"
        has = "has no" if lacking else "has a"
        raise ConflictError(
            "no_table",
            f"{who} {has} usable table of space {space}; measure one: edgenas profile -s {space}",
        )
    if len(tables) > MAX_TABLES:
        raise ConflictError(
            "too_many_tables",
            f"a front takes {MAX_TABLES} tables, and there are {len(tables)} of {space}; name devices",
        )
    (first, table), *others = tables
    request = _again(origin, table, first.name, create.training, create.train_epochs)
    also = tuple(DeviceTarget(device.name, None, each.conditions, each.snapshot) for device, each in others)
    with refusing_values("body"):
        request = replace(
            request,
            target_ms=None,
            also=also,
            points=create.points,
            name=create.name,
            private=create.private,
        )
    return submit_search(session, request, submission, now)


def submit_retarget(
    session: Session, job_id: str, create: RetargetCreate, submission: Submission, now: datetime
) -> JobRow:
    """Queue the decoding of one network from a finished search.

    Raises:
        ConflictError: the search is not done, or the device has no table of its space.
    """
    origin = require_origin(session, job_id)
    device = find_device(session, create.device or origin.device_id)
    measured_under = from_dict(origin.conditions, Conditions)
    conditions = create.conditions or replace(measured_under, runtime_version=None)
    table = newest_accepted(session, device.device_id, origin.space, conditions)
    if table is None and create.conditions is None:
        table = next(iter(newest_tables(session, device, origin.space)), None)
    if table is None:
        table = require_table(session, device, origin.space, conditions, None)
    request = _again(origin, table, device.name, create.training, create.train_epochs)
    with refusing_values("body"):
        request = replace(
            request,
            target_ms=create.target_ms,
            also=(),
            points=None,
            name=create.name,
            private=create.private,
        )
    return submit_search(session, request, submission, now)


def require_origin(session: Session, job_id: str) -> JobRow:
    """Return the search that has learnt something: the one named, or the one that it was decoded from.

    Raises:
        ConflictError: it is not done.
    """
    job = find_job(session, job_id, "search")
    first = find_request(job).origin
    job = find_job(session, first, "search") if first else job
    if job.status != "done":
        raise ConflictError(
            "search_not_done",
            f"search {job.job_id} is {job.status}; networks are decoded from one that is done",
        )
    return job


def newest_tables(session: Session, device: DeviceRow, space: str) -> Sequence[LatencyTable]:
    """Return a device's newest usable table of a space under each of its conditions, the newest first."""
    rows = {
        row.conditions_key: row
        for row in reversed(session.scalars(accepted_tables(device.device_id, space=space)).all())
    }
    newest = sorted(rows.values(), key=lambda row: row.table_id, reverse=True)
    tables: list[LatencyTable] = []
    for row in newest:
        conditions = replace(LatencyTable.from_json(row.content).conditions, runtime_version=None)
        table = newest_accepted(session, device.device_id, space, conditions)
        is_usable = device.is_imported or is_supported(device, conditions)  # what is found is measured
        if table is not None and is_usable and table.snapshot not in [each.snapshot for each in tables]:
            tables.append(table)
    return tables


def _again(
    origin: JobRow, table: LatencyTable, device: str, training: AfterTraining, train_epochs: int | None
) -> SearchCreate:
    """Return a search's request with another table, a target to come, and training as asked for."""
    asked = find_request(origin)
    if training == "inherit" and asked.paths == "none":
        raise ConflictError(
            "nothing_to_inherit", f"search {origin.job_id} trained no supernet; use training 'scratch'"
        )
    return replace(
        asked,
        device=device,
        conditions=table.conditions,
        snapshot=table.snapshot,
        also=(),
        loss="budget",
        combine="worst",
        target_ms=table.latency_range_us()[1] / 1000,
        compare_baselines=False,
        training="inherit" if training == "inherit" else "scratch",
        train_epochs=0 if training == "none" else train_epochs or max(1, asked.train_epochs),
        origin=origin.job_id,
    )
