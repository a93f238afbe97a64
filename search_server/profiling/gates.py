"""Gates: jobs that compare a new model with an old one, window by window, until they can tell."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from search_server.db.models import JobRow
from search_server.devices.registry import find_device
from search_server.errors import InvalidValueError
from search_server.jobs.registry import (
    Submission,
    create_job,
    describe_one,
    earlier_job,
    job_resources,
)
from search_server.leases.leases import create_lease, lease_items
from search_server.own_models.stored_models import find_model, model_names, model_resource
from search_server.profiling.conclude_gate import LOOKS, NUM_COPIES, GateOn
from search_server.profiling.own_models import ANCHOR_SPACE, model_item, require_model_support
from search_server.profiling.plan import ANCHOR_ID, policy
from search_server.profiling.samples import own_leases
from search_server.resources.gates import Gate, GateCreate, GateVerdict
from shared.protocol.device import Conditions
from shared.protocol.measurement import LeaseItem
from shared.protocol.wire import from_dict, to_dict

GATE_WINDOW_S = 1.0
"""Short, since windows differ more than the runs within one do."""


def submit_gate(session: Session, create: GateCreate, submission: Submission, now: datetime) -> JobRow:
    """Queue the first windows in which two models take turns."""
    new, old = (model_resource(session, find_model(session, each)) for each in (create.new, create.old))
    request = {**to_dict(create), "new_id": new.model_id, "old_id": old.model_id}
    earlier = earlier_job(session, submission, "gate", request)
    if earlier is not None:
        return earlier
    if new.format != old.format:
        raise InvalidValueError(
            "unlike_models",
            f"{new.name} is an {new.format} file and {old.name} an {old.format} file; a gate compares "
            "models that one runtime runs",
        )
    device = find_device(session, create.device)
    for model in (new, old):
        require_model_support(device, model, create.conditions)
    items = (
        model_item(
            session, old, ANCHOR_ID, create.inputs, create.conditions, is_anchor=True, is_profiled=False
        ),
        *(
            model_item(session, new, f"new{copy}", create.inputs, create.conditions, is_profiled=False)
            for copy in range(NUM_COPIES)
        ),
    )
    job = create_job(session, submission, "gate", device, ANCHOR_SPACE, create.conditions, request, now)
    _queue_windows(session, job, items, 0, LOOKS[0], now)
    return job


def measure_until(session: Session, job: JobRow, look: GateOn, now: datetime) -> None:
    """Queue the windows up to the next look."""
    leases = own_leases(session, job)
    job.message = f"not yet clear after {len(leases)} windows; measuring up to {look.num_windows}"
    _queue_windows(session, job, lease_items(leases[0]), len(leases), look.num_windows, now)


def _queue_windows(
    session: Session, job: JobRow, items: tuple[LeaseItem, ...], first: int, end: int, now: datetime
) -> None:
    conditions = from_dict(job.conditions, Conditions)
    job.num_windows = end
    for index in range(first, end):
        how_long = policy(
            index,
            conditions,
            window_s=GATE_WINDOW_S,
            is_first=index == 0,
            accept_noise=job.request.get("accept_noise", False),
        )
        create_lease(session, job, items, how_long, now)


def gate_resources(session: Session, jobs: Sequence[JobRow], now: datetime) -> list[Gate]:
    """Return gates as routes answer them."""
    names = model_names(session, {job.request[key] for job in jobs for key in ("new_id", "old_id")})
    return [
        Gate(
            resource,
            names[job.request["new_id"]],
            names[job.request["old_id"]],
            job.request["fail_above"],
            from_dict(job.result["verdict"], GateVerdict) if job.result else None,
        )
        for job, resource in zip(jobs, job_resources(session, jobs, now), strict=True)
    ]


gate_resource = describe_one(gate_resources)
