"""Searches on a table of a device without an agent, run here to their end."""

from datetime import UTC, datetime
from pathlib import Path

from search_server.db.session import Database
from search_server.jobs.registry import Submission, find_job
from search_server.resources.searches import Search, SearchCreate
from search_server.searches.pipeline import run_search_job
from search_server.searches.searches import search_resource, submit_search
from search_server.store import Store
from shared.search_space import search_space
from tests.search_server.tables import known_table

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SPACE = search_space("fbnet-tiny:width=0.25,resolution=16,classes=2")
FEW = {"epochs": 2, "warmup_epochs": 1, "train_epochs": 1, "num_samples": 1, "num_classes": 2}


def request(**changes: object) -> SearchCreate:
    low_us, high_us = known_table("", SPACE.name).latency_range_us()
    values = {"target_ms": (low_us + high_us) / 2000, **changes}
    return SearchCreate("shelf", SPACE.name, "digits", **values)  # type: ignore[arg-type]


def submit(database: Database, create: SearchCreate) -> str:
    with database.transaction() as session:
        return submit_search(session, create, Submission(None), NOW).job_id


def run(database: Database, folder: Path, create: SearchCreate) -> Search:
    job_id = submit(database, create)
    run_search_job(job_id, database.transaction, Store.at(folder), lambda: False, accelerator="cpu")
    with database.transaction() as session:
        search = search_resource(session, find_job(session, job_id, "search"), NOW)
    assert search.job.status == "done", search.job.message
    return search
