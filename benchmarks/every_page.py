"""Every page of the server, and something for each of them to show."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from benchmarks.made_up import (
    CONDITIONS,
    made_up_device,
    made_up_model_latency,
    made_up_networks,
    made_up_steps,
    made_up_table,
)
from search_server.audit import record
from search_server.client import SearchClient
from search_server.db.models import DeviceRow, JobRow, SearchStepRow
from search_server.db.session import Database
from search_server.devices.registry import add_device
from search_server.jobs.registry import Submission, create_job, fail_job, finish_job
from search_server.latency.stored.snapshots import store_table
from search_server.latency.table import LatencyTable
from search_server.model_files.model_file import model_file
from search_server.profiling.own_models import store_model_latency
from search_server.resources.gates import GateVerdict
from search_server.resources.jobs import JobKind
from search_server.resources.models import Model, ModelCreate
from search_server.resources.searches import SearchCreate
from search_server.resources.tables import Lineage, ProfileCreate
from search_server.searches.recording import record_architecture
from shared.architecture import uniform_architecture
from shared.protocol.device import Conditions
from shared.protocol.wire import to_dict
from shared.search_space import search_space


@dataclass(frozen=True, slots=True)
class ShownPage:
    """A page with something on it."""

    name: str
    path: str
    """As in the server's routes; names in braces are those that :func:`fill_pages` returns."""
    shows: str
    """A CSS selector of what stands there once the page has all that it shows."""
    query: str = ""

    def address(self, names: Mapping[str, str]) -> str:
        """Return path and query for what a server was filled with."""
        return (self.path + self.query).format(**names)


PAGES = (
    ShownPage("overview", "/", "#searches tbody tr"),
    ShownPage("devices", "/devices", "article.device .tables li"),
    ShownPage("tables", "/tables", "#tables tbody tr"),
    ShownPage("table", "/tables/{snapshot}", "#history tbody tr"),
    ShownPage("compared tables", "/tables/compare", "#plane svg", "?a={older}&b={snapshot}"),
    ShownPage("models", "/models", "#models tbody tr"),
    ShownPage("model", "/models/{model}", "#bars tbody tr"),
    ShownPage("compared models", "/models/compare", "#nodes tbody tr", "?a={measured}&b={again}"),
    ShownPage("gates", "/gates", "#gates tbody tr"),
    ShownPage("new search", "/searches/new", "#plan:not(:empty)", "?from={search}"),
    ShownPage("search", "/searches/{search}", "#diagonal .interval"),
    ShownPage("queued search", "/searches/{queued}", "#actions button"),
    ShownPage("failed search", "/searches/{failed}", "#actions button"),
    ShownPage("compare", "/compare", "#accuracy-chart svg", "?a={search}&b={other}"),
    ShownPage("audit", "/audit", "#entries tbody tr"),
    ShownPage("interface", "/docs", "#routes tbody tr"),
    ShownPage("sign-in", "/login", "#sign-in button:enabled"),
    ShownPage("unknown", "/nothing-is-here", "main h1"),
)
"""A new page joins what holds for all of them by a line here."""


def fill_pages(
    client: SearchClient, database: Database, space: str = "fbnet-tiny", num_steps: int = 40
) -> dict[str, str]:
    """Give every page of a server something to show; return the names in the pages' addresses.

    Args:
        client: of the server, for what it has to check itself.
        database: of the same server.
        space: of the table and the searches.
        num_steps: of each search.
    """
    now = datetime.now(UTC)
    with database.transaction() as session:
        device = add_device(session, made_up_device("board"), now)
        older = made_up_table(search_space(space), device.device_id, level=1.06)
        parent = store_table(session, older, now)
        table = made_up_table(search_space(space), device.device_id)
        rescaled = Lineage("rescaled", parent, "level -5.7 %")
        snapshot = store_table(session, table, now, lineage=rescaled)
        names = {"device": device.device_id, "snapshot": snapshot, "older": parent}
        for name, called, seed in (("search", "nightly", 5), ("other", "wider", 7)):
            names[name] = add_search(session, device, table, called, num_steps, seed)
        names["queued"] = _unfinished_search(session, device, table, "queued")
        names["failed"] = _unfinished_search(session, device, table, "failed")
        fail_job(session, names["failed"], "the folder of images is gone: /data/leaves", now)
        for number in range(12):
            user, status = ("alice", 201) if number % 3 else ("bob", 403)
            record(
                session, now, user, "user", "POST /api/v1/searches", names["search"], status, "127.0.0.1"
            )
    client.start_profile(ProfileCreate("board", space, CONDITIONS, force=True))
    return names | _add_models(client, database, device.device_id, space)


def add_search(
    session: Session, device: DeviceRow, table: LatencyTable, name: str, num_steps: int, seed: int
) -> str:
    """Store a search that has ended; return its id."""
    now, space = datetime.now(UTC), search_space(table.space)
    networks = made_up_networks(table, space, seed)
    found = networks[0]
    target_ms = round(1.02 * found.predicted_us / 1000, 3)
    request = SearchCreate(
        "board", table.space, "digits", target_ms=target_ms, conditions=CONDITIONS, seed=seed
    )
    job = create_job(
        session, Submission(None), "search", device, table.space, CONDITIONS, request, now, name
    )
    job.snapshot, job.started_at = table.snapshot, now
    for step in made_up_steps(space, found, num_steps, seed):
        session.add(SearchStepRow(job_id=job.job_id, step=step.step, body=to_dict(step)))
    for network in networks:
        record_architecture(session, job.job_id, network)
    finish_job(session, job.job_id, now, result=to_dict(found))
    return job.job_id


def _unfinished_search(session: Session, device: DeviceRow, table: LatencyTable, name: str) -> str:
    request = SearchCreate("board", table.space, "digits", target_ms=1.0, conditions=CONDITIONS)
    now = datetime.now(UTC)
    job = create_job(
        session, Submission(None), "search", device, table.space, CONDITIONS, request, now, name
    )
    job.snapshot = table.snapshot
    return job.job_id


def _add_models(client: SearchClient, database: Database, device_id: str, space: str) -> dict[str, str]:
    """Send two networks of the space as models, store measurements of one, and a gate; return the names."""
    (model, content), (faster, _) = (_sent_model(client, space, block) for block in ("k3_e3", "k3_e1"))
    now, names = datetime.now(UTC), {"model": model.name}

    def add_job(session: Session, kind: JobKind, request: object) -> JobRow:
        device = session.get_one(DeviceRow, device_id)
        return create_job(session, Submission(None), kind, device, "fbnet-tiny", CONDITIONS, request, now)

    with database.transaction() as session:
        for seed, (name, latency_us) in enumerate([("measured", 4180.0), ("again", 4120.0)]):
            job = add_job(session, "model", {"model_id": model.model_id})
            store_model_latency(session, job, made_up_model_latency(content, latency_us, seed))
            finish_job(session, job.job_id, now)
            names[name] = job.job_id
        gate = {"new_id": model.model_id, "old_id": faster.model_id, "fail_above": 0.02}
        verdict = GateVerdict("slower", 1.31, 1.29, 1.33, (1.31,) * 6, 3190.0, 4180.0)
        ended = add_job(session, "gate", gate)
        finish_job(session, ended.job_id, now, result={"verdict": to_dict(verdict)})
    return names


def _sent_model(client: SearchClient, space: str, block: str) -> tuple[Model, bytes]:
    file = model_file(uniform_architecture(search_space(space), block).workload(), Conditions())
    assert file is not None, "ONNX Runtime loads files"
    sha256, name = hashlib.sha256(file.content).hexdigest(), f"uniform-{block.replace('_', '-')}"
    client.send_model_part(sha256, 0, file.content)
    return client.add_model(ModelCreate(name, "onnx", sha256, len(file.content))), file.content
