"""Server-sent events of a job: what changed since the last look into the database.

No session stays open between looks. Every event carries the number of the last search step that was
sent as its id; with ``Last-Event-ID`` a stream goes on behind it.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import anyio
from fastapi.sse import ServerSentEvent
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from search_server.db.models import JobRow
from search_server.db.session import Database
from search_server.jobs.registry import ENDED, find_job
from search_server.profiling.checks import check_resource
from search_server.profiling.gates import gate_resource
from search_server.profiling.measurements import measurement_resource
from search_server.profiling.own_models import model_measurement_resource
from search_server.profiling.profiles import profile_resource
from search_server.resources.jobs import JobKind
from search_server.routes.auth import UserDep
from search_server.routes.context import Context, DatabaseDep
from search_server.routes.sessions import restrict_to
from search_server.routes.shared_looks import JobLook
from search_server.searches.searches import search_resource, search_steps_after
from shared.protocol.wire import to_json


class JobToWatch:
    """A dependency that refuses an unknown job before its stream begins."""

    def __init__(self, kind: JobKind) -> None:
        self.kind = kind

    def __call__(self, job_id: str, caller: UserDep, database: DatabaseDep) -> str:
        with database.reading() as session:
            restrict_to(session, caller)
            return find_job(session, job_id, self.kind).job_id


@dataclass(slots=True)
class _Stream:
    """What one listener of a search has been sent."""

    last_step: int
    sent: dict[str, str] = field(default_factory=dict)
    """The newest JSON of each thing that is sent whenever it changes."""

    def changed(self, event: str, thing: str, resource: object) -> Iterator[ServerSentEvent]:
        """Yield an event if the thing differs from what was sent."""
        text = to_json(resource)
        if self.sent.get(thing) != text:
            self.sent[thing] = text
            yield ServerSentEvent(event=event, raw_data=text, id=str(self.last_step))


_RESOURCES: Mapping[str, Callable[[Session, JobRow, datetime], object]] = {
    "profile": profile_resource,
    "measurement": measurement_resource,
    "check": check_resource,
    "model": model_measurement_resource,
    "gate": gate_resource,
}


async def job_events(
    database: Database,
    job_id: str,
    kind: Literal["profile", "measurement", "check", "model", "gate"],
    context: Context,
) -> AsyncIterator[ServerSentEvent]:
    """Yield ``job`` with the profile, measurement, check or gate whenever it changes.

    All who watch a job share one look into the database, so that many browsers cost as much as one.
    """

    def look() -> JobLook:
        with database.reading() as session:
            job = find_job(session, job_id, kind)
            return to_json(_RESOURCES[kind](session, job, context.now())), job.status in ENDED

    sent = None
    while True:
        text, has_ended = await context.looks.newest(job_id, look, max_age_s=context.poll_s / 2)
        if text != sent:
            yield ServerSentEvent(event="job", raw_data=text, id="0")
            sent = text
        if has_ended or context.stopping.is_set():
            return
        await anyio.sleep(context.poll_s)


async def search_events(
    database: Database, job_id: str, context: Context, last_step: int
) -> AsyncIterator[ServerSentEvent]:
    """Yield each recorded ``step``, each ``architecture`` and the ``search`` whenever it changes."""
    stream = _Stream(last_step)

    def look() -> tuple[list[ServerSentEvent], bool]:
        with database.reading() as session:
            job = find_job(session, job_id, "search")
            return list(_news(session, job, stream, context.now())), job.status in ENDED

    while True:
        events, has_ended = await run_in_threadpool(look)
        for event in events:
            yield event
        if has_ended or context.stopping.is_set():
            return
        await anyio.sleep(context.poll_s)


def _news(session: Session, job: JobRow, stream: _Stream, at: datetime) -> Iterator[ServerSentEvent]:
    for step in search_steps_after(session, job.job_id, stream.last_step):
        stream.last_step = step.step
        yield ServerSentEvent(event="step", raw_data=to_json(step), id=str(step.step))
    search = search_resource(session, job, at)
    for found in search.architectures:
        yield from stream.changed("architecture", f"{found.role} {found.architecture}", found)
    yield from stream.changed("search", "search", search)
