"""A search whose worker has two processes: some networks are trained apart, the rest by both together."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch

from search_server.db.session import Database
from search_server.engines.local import LocalEngine
from search_server.jobs.registry import find_job
from search_server.resources.searches import Search
from search_server.searches.pipeline import run_search_job
from search_server.searches.searches import search_resource
from search_server.store import Store
from tests.flow.shelf import FEW, NOW, request, run, submit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # each process loads torch

CREATE = request(**{**FEW, "paths": "none", "train_epochs": 3, "batch_size": 30, "num_threads": 1})


def found_by(database: Database, job_id: str) -> Search:
    with database.transaction() as session:
        return search_resource(session, find_job(session, job_id, "search"), NOW)


def state_in(path: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(
        BytesIO(Store.at(path.parent).read_sealed(path.name)), weights_only=True
    )
    return state


def test_a_training_by_two_processes_is_stopped_and_goes_on(shelf: Database, tmp_path: Path) -> None:
    alone = run(shelf, tmp_path, CREATE)
    job_id = submit(shelf, CREATE)
    folder = tmp_path / "searches" / job_id

    def has_begun() -> bool:
        return any(folder.glob("*.begun"))

    for should_stop in (has_begun, lambda: False):
        run_search_job(
            job_id,
            shelf.transaction,
            Store.at(tmp_path),
            should_stop,
            accelerator="cpu",
            engine=LocalEngine(2),
        )
        if should_stop is has_begun:
            (begun,) = folder.glob("*.begun")
            assert state_in(begun)["epoch"] == 1
            before_joining = [path.name for path in folder.glob("*.pt")]
            assert len(before_joining) == 2
    search = found_by(shelf, job_id)
    assert search.job.status == "done", search.job.message
    assert not has_begun()
    assert len(search.architectures) == len(alone.architectures) == 3
    for mine, other in zip(search.architectures, alone.architectures, strict=True):
        assert mine.architecture == other.architecture
        assert mine.test_accuracy is not None
    apart = [path.name for path in folder.glob("*.pt") if path.name not in before_joining]
    assert len(apart) == 2  # the network that was trained by both, and the found one under its other name
    for name in before_joining:
        states = [state_in(tmp_path / "searches" / each / name) for each in (job_id, alone.job.job_id)]
        assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
