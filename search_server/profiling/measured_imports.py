"""Whole networks that another program measured, kept as measurements of a device; never part of a table."""

import hashlib
from datetime import datetime

from sqlalchemy.orm import Session

from search_server.db.models import JobRow
from search_server.errors import refusing_values
from search_server.jobs.registry import Submission, create_job, earlier_job, finish_job
from search_server.latency.formats.reading import ImportedFile
from search_server.latency.formats.whole_networks import read_whole_networks
from search_server.latency.stored.imports import find_or_add_device
from search_server.profiling.measurements import store_latencies
from search_server.resources.latencies import MeasurementCreate
from search_server.tokens import Caller
from shared.protocol.device import Conditions
from shared.search_space import search_space

DEFAULT_CONDITIONS = Conditions("other")
"""Where the sender does not say what ran the networks."""


def import_measurements(
    session: Session,
    caller: Caller,
    content: bytes,
    device: str,
    space: str,
    now: datetime,
    conditions: Conditions | None = None,
    *,
    is_private: bool = False,
) -> JobRow:
    """Store a whole-network CSV as a measurement job that is done; the same file is taken once.

    A device that is not known yet is added without an agent. The latencies have the level at which they
    were measured, as no table is theirs.

    Raises:
        InvalidValueError: the file is not of this format, holds impossible latencies, there is no such
            space, or no device can have this name.
    """
    given = conditions or DEFAULT_CONDITIONS
    with refusing_values("query.space"):
        name = search_space(space).name
    with refusing_values("body"):
        file = ImportedFile(content, device, now.isoformat(), name, given)
        latencies = read_whole_networks(file)
    row = find_or_add_device(session, device, given, now, caller.owner)
    networks = tuple(dict.fromkeys(latency.architecture for latency in latencies))
    request = MeasurementCreate(row.device_id, name, networks, given)
    digest = hashlib.sha256(repr((content, request)).encode()).hexdigest()
    submission = Submission(caller, idempotency_key=f"import-{digest}", is_private=is_private)
    earlier = earlier_job(session, submission, "measurement", request)
    if earlier is not None:
        return earlier
    job = create_job(session, submission, "measurement", row, name, given, request, now)
    store_latencies(session, job, latencies, None)
    finish_job(session, job.job_id, now, started_at=now, message="imported from a whole-network CSV")
    session.refresh(job)
    return job
