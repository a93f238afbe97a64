"""Two workers with nothing in common but a database and a store: the second ends what the first began."""

import threading
import time
import uuid
from pathlib import Path

import pytest

from search_server.db.session import Database
from search_server.jobs.registry import find_job
from search_server.resources.searches import Search, SearchStep
from search_server.searches.searches import export_name, search_resource, search_steps_after
from search_server.searches.worker import Worker
from search_server.store import Store
from tests.conftest import Clock
from tests.flow.shelf import FEW, NOW, request, submit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # six processes load torch

PATIENCE_S = 300
MANY = {**FEW, "epochs": 40, "num_threads": 1}


def worker_on(folder: Path, store: str, database: Database, clock: Clock) -> Worker:
    environment = {
        "EDGENAS_DATABASE_URL": database.engine.url.render_as_string(hide_password=False),
        "EDGENAS_DATA": str(folder),
        "EDGENAS_STORE": store,
        "EDGENAS_ACCELERATOR": "cpu",
    }
    return Worker(database, folder.name, clock, environment, poll_s=0.05)


def steps(database: Database, job_id: str) -> tuple[SearchStep, ...]:
    with database.transaction() as session:
        return search_steps_after(session, job_id, -1)


def search(database: Database, job_id: str) -> Search:
    with database.transaction() as session:
        return search_resource(session, find_job(session, job_id, "search"), NOW)


def stop_after_a_step(worker: Worker, database: Database, job_id: str) -> None:
    """Let a worker work until its search has recorded a step; stop it as SIGTERM does."""
    thread = threading.Thread(target=worker.work_once)
    thread.start()
    until_s = time.monotonic() + PATIENCE_S
    while not steps(database, job_id) and time.monotonic() < until_s:
        time.sleep(0.02)
    worker.stop.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


@pytest.fixture(params=["file URL", "S3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "S3":
        return f"{request.getfixturevalue('s3_url')}/{uuid.uuid4().hex}"
    return (tmp_path / "store").as_uri()


def test_a_worker_on_another_folder_ends_a_search_as_if_nothing_had_happened(
    shelf: Database, store: str, tmp_path: Path, clock: Clock
) -> None:
    undisturbed = submit(shelf, request(**MANY))
    assert worker_on(tmp_path / "whole", store, shelf, clock).work_once()
    moved = submit(shelf, request(**MANY))
    stop_after_a_step(worker_on(tmp_path / "first", store, shelf, clock), shelf, moved)
    assert search(shelf, moved).job.status == "queued"
    assert 1 <= len(steps(shelf, moved)) < MANY["epochs"]
    assert worker_on(tmp_path / "second", store, shelf, clock).work_once()
    whole, resumed = search(shelf, undisturbed), search(shelf, moved)
    assert (whole.job.status, resumed.job.status) == ("done", "done"), resumed.job.message
    assert [step.theta for step in steps(shelf, moved)] == [
        step.theta for step in steps(shelf, undisturbed)
    ]
    assert resumed.result == whole.result
    for folder in ("whole", "first", "second"):
        assert not (tmp_path / folder / "searches").exists()
    exported = [Store.at(store).read(export_name(job, "onnx")) for job in (undisturbed, moved)]
    assert exported[0] == exported[1]
