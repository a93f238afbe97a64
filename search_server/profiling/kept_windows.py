"""A profile goes on where one before it stopped: the windows of an interrupted profile count for the next.

They count for an hour, if the networks, the conditions, the runtime and the agent are the same. Windows of
a refused table do not: they are what was found wanting, and its owner was told to change something.
"""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import DeviceRow, JobRow, LeaseRow
from search_server.devices.registry import device_facts
from search_server.leases.ingest import lease_results
from search_server.leases.leases import lease_items
from search_server.profiling.conclude_profile import is_good
from search_server.profiling.evidence import Window
from search_server.profiling.plan import MIN_PROFILE_LEASES, ItemFactory, profile_items
from shared.protocol.device import Conditions
from shared.protocol.measurement import Policy
from shared.protocol.wire import from_dict
from shared.search_space import search_space

KEPT_FOR = timedelta(hours=1)

_KEY = "kept_leases"
"""Under which a job's result names the leases."""


def keep_windows(
    session: Session, job: JobRow, device: DeviceRow, factory: ItemFactory, accept_noise: bool
) -> int:
    """Let a new profile begin with the windows of those before it; return how many there are.

    At most one fewer than a table takes: each profile also measures how the device is now. Windows that
    accepted noise count only if ``accept_noise`` holds for the new profile too.
    """
    facts = device_facts(device)
    runtime = from_dict(job.conditions, Conditions).runtime
    version = next((known.version for known in facts.runtimes if known.name == runtime), None)
    statement = (
        select(LeaseRow)
        .join(JobRow, JobRow.job_id == LeaseRow.job_id)
        .where(JobRow.kind == "profile", JobRow.device_id == job.device_id, JobRow.space == job.space)
        .where(JobRow.conditions_key == job.conditions_key, JobRow.snapshot.is_(None))
        .where(JobRow.status.in_(("cancelled", "failed")))
        .where(LeaseRow.status == "done", LeaseRow.finished_at >= factory.now - KEPT_FOR)
        .order_by(LeaseRow.finished_at.desc())
    )
    kept = [
        lease.lease_id
        for lease in session.scalars(statement)
        if lease_items(lease) == profile_items(search_space(job.space), factory, lease.group_index)
        and from_dict(lease.policy, Policy).accept_noise <= accept_noise
        and _is_usable(lease_results(session, lease), version, facts.agent_version)
    ][: MIN_PROFILE_LEASES - 1]
    if kept:
        job.result = {_KEY: kept}
    return len(kept)


def kept_leases(session: Session, job: JobRow) -> list[LeaseRow]:
    """Return the leases of the windows that a profile began with."""
    kept = (job.result or {}).get(_KEY, [])
    statement = select(LeaseRow).where(LeaseRow.lease_id.in_(kept)).order_by(LeaseRow.lease_id)
    return list(session.scalars(statement))


def _is_usable(window: Window, runtime_version: str | None, agent_version: str) -> bool:
    return is_good(window) and all(
        (result.runtime_version, result.agent_version) == (runtime_version, agent_version)
        for result in window
        if result.status == "ok"
    )
