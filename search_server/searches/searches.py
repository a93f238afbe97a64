"""Search jobs: checked when submitted, shown, resumed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import DeviceRow, JobRow, SearchArchitectureRow, SearchStepRow
from search_server.devices.registry import find_device
from search_server.errors import ConflictError, refusing_values
from search_server.exports.hub_repository import HubSource, hub_archive
from search_server.jobs.registry import (
    Submission,
    by_job,
    create_job,
    describe_one,
    earlier_job,
    find_job,
    job_resources,
)
from search_server.latency.stored.required_table import require_table
from search_server.latency.stored.snapshots import is_private_table
from search_server.latency.table import LatencyTable
from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.page import Page
from search_server.resources.searches import Search, SearchCreate, SearchDryRun, SearchStep
from search_server.searches.data_check import check_data
from search_server.searches.data_classes import check_classes
from search_server.searches.named_teachers import check_teacher
from search_server.searches.search_tables import (
    other_table,
    require_measurable,
    require_positive_log,
    require_usable,
)
from search_server.store import Store
from shared.protocol.plain_json import MAX_INTEGER
from shared.protocol.wire import from_dict
from shared.search_space import search_space


@dataclass(frozen=True, slots=True)
class _CheckedSearch:
    """What a search needs, all of it there."""

    device: DeviceRow
    space: str
    table: LatencyTable
    others: tuple[LatencyTable, ...]
    is_private: bool

    @property
    def other_snapshots(self) -> list[str]:
        return [other.snapshot for other in self.others]


def submit_search(session: Session, create: SearchCreate, submission: Submission, now: datetime) -> JobRow:
    """Queue a search, once all that it needs is known to be there.

    The latency table is chosen now: the search quotes its snapshot and can be replayed.
    """
    earlier = earlier_job(session, submission, "search", create)
    if earlier is not None:
        return earlier
    checked = _check(session, create, submission)
    job = create_job(
        session,
        submission.kept_private(checked.is_private),
        "search",
        checked.device,
        checked.space,
        checked.table.conditions,
        create,
        now,
        create.name,
    )
    job.snapshot, job.other_snapshots = checked.table.snapshot, checked.other_snapshots
    job.message = "waiting for a worker; 'search-server worker' starts one"
    return job


def try_search(session: Session, create: SearchCreate, submission: Submission) -> SearchDryRun:
    """Check a search as :func:`submit_search` does, and return what it would do; nothing is queued."""
    checked = _check(session, create, submission)
    fastest_us, slowest_us = checked.table.latency_range_us()
    return SearchDryRun(
        request=create,
        snapshot=checked.table.snapshot,
        other_snapshots=tuple(checked.other_snapshots),
        fastest_us=fastest_us,
        slowest_us=slowest_us,
        is_private=checked.is_private,
    )


def _check(session: Session, create: SearchCreate, submission: Submission) -> _CheckedSearch:
    origin = find_job(session, create.origin, "search") if create.origin else None
    device = find_device(session, create.device)
    with refusing_values("body.space"):
        space = search_space(create.space)
    if create.train_epochs or (create.origin is None and create.paths != "none"):
        with refusing_values("body.data"):
            data = submission.data_roots.find(create.data)
            check_data(data)
            check_classes(replace(create, data=data), space)
    check_teacher(session, create, space, submission.teachers)
    table = require_table(session, device, space.name, create.conditions, create.snapshot)
    target_ms = create.target_ms if create.combine == "worst" else None
    require_usable(table, device.name, target_ms, "body.target_ms", create.loss)
    require_positive_log(create, table)
    others = tuple(
        other_table(session, create, other, space.name, f"body.also.{index}")
        for index, other in enumerate(create.also)
    )
    require_measurable(session, [table, *others])
    snapshots = [table.snapshot, *(other.snapshot for other in others)]
    is_private = create.private or (origin is not None and origin.is_private)
    is_private = is_private or is_private_table(session, *snapshots)
    return _CheckedSearch(device, space.name, table, others, is_private)


def resume_search(job: JobRow) -> None:
    """Queue a failed or cancelled search again; it goes on from its last checkpoint.

    Raises:
        ConflictError: the search is not over, or was successful.
    """
    if job.status not in ("failed", "cancelled"):
        raise ConflictError(
            "not_resumable",
            f"search {job.job_id} is {job.status}; only a failed or cancelled one can resume",
        )
    job.status, job.attempt, job.finished_at, job.worker_id = "queued", 0, None, None
    job.message = "resumed; waiting for a worker"


def find_request(job: JobRow) -> SearchCreate:
    """Return what a search job was asked."""
    return from_dict(job.request, SearchCreate)


def search_resources(session: Session, jobs: Sequence[JobRow], now: datetime) -> list[Search]:
    """Return searches as routes answer them."""
    architectures = _architectures(session, [job.job_id for job in jobs])
    return [
        Search(
            job=resource,
            request=find_request(job),
            snapshot=job.snapshot,
            other_snapshots=tuple(job.other_snapshots),
            stage=job.stage,
            result=from_dict(job.result, FoundArchitecture) if job.result else None,
            architectures=architectures.get(job.job_id, ()),
        )
        for job, resource in zip(jobs, job_resources(session, jobs, now), strict=True)
    ]


search_resource = describe_one(search_resources)


def search_architectures(session: Session, job_id: str) -> tuple[FoundArchitecture, ...]:
    """Return the networks that a search compared, in the order in which they were recorded."""
    return _architectures(session, (job_id,)).get(job_id, ())


def _architectures(session: Session, job_ids: Sequence[str]) -> dict[str, tuple[FoundArchitecture, ...]]:
    statement = (
        select(SearchArchitectureRow.job_id, SearchArchitectureRow.body)
        .where(SearchArchitectureRow.job_id.in_(job_ids))
        .order_by(SearchArchitectureRow.position)
    )
    return by_job(session, statement, FoundArchitecture)


def search_steps_after(
    session: Session, job_id: str, step: int, limit: int = 1000
) -> tuple[SearchStep, ...]:
    """Return up to ``limit`` recorded steps behind this one, in order."""
    statement = (
        select(SearchStepRow.body)
        .where(SearchStepRow.job_id == job_id, SearchStepRow.step > step)
        .order_by(SearchStepRow.step)
        .limit(limit)
    )
    return tuple(from_dict(body, SearchStep) for body in session.scalars(statement))


def list_steps(session: Session, job_id: str, cursor: str | None, limit: int) -> Page[SearchStep]:
    """Return the recorded steps of a search in order; the cursor is the number of the last one."""
    with refusing_values("query.cursor"):
        last_step = int(cursor) if cursor is not None else -1
        if not -1 <= last_step <= MAX_INTEGER:
            raise ValueError(f"cursor must be the 'next_cursor' of the page before, got {cursor!r:.40}")
    steps = search_steps_after(session, job_id, last_step, limit + 1)
    next_cursor = str(steps[limit - 1].step) if len(steps) > limit else None
    return Page(steps[:limit], next_cursor)


def job_folder(job_id: str) -> str:
    """Return in which folder of the store a search leaves its files."""
    return f"searches/{job_id}"


def checkpoint_name(job_id: str) -> str:
    """Return what the checkpoint of a search is called in the store."""
    return f"{job_folder(job_id)}/search.pt"


def description_name(job_id: str) -> str:
    """Return what the file is called in the store that says what is known of a found network."""
    return f"{job_folder(job_id)}/network.json"


def export_name(job_id: str, file_format: str, dtype: str = "fp32") -> str:
    """Return what a found network is called in the store: ``network.onnx``, ``network-int8.onnx``, ..."""
    suffixes = {"onnx": "onnx", "tflite": "tflite", "ncnn": "ncnn.zip", "torch": "pt", "python": "py"}
    suffix = suffixes[file_format]
    name = "network" if dtype == "fp32" else f"network-{dtype}"
    return f"{job_folder(job_id)}/{name}.{suffix}"


def hub_export(store: Store, job: JobRow) -> bytes | None:
    """Return the found network of a search as a repository of the Hugging Face hub, a zip archive.

    None: the search has exported nothing, or in a time when a network was not described yet.
    """

    def read(name: str) -> bytes | None:
        whole = f"{job_folder(job.job_id)}/{name}"
        return store.read(whole) if store.has(whole) else None

    known = json.loads(read("network.json") or b"{}")
    about = known.pop("description", None)
    if about is None:
        return None
    return hub_archive(HubSource(read, from_dict(known, FoundArchitecture), about, find_request(job).data))
