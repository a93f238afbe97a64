"""A search computes with the threads that are asked for, and keeps to those that it began with."""

from pathlib import Path

import pytest
import torch

from search_server.db.session import Database
from search_server.resources.searches import SearchCreate, SearchStep
from search_server.searches.pipeline import keep_threads
from search_server.searches.recording import record_step
from search_server.searches.search_job import SearchJob, open_search_job
from search_server.store import Store
from tests.flow.shelf import FEW, request, submit


def opened(database: Database, folder: Path, create: SearchCreate) -> SearchJob:
    return open_search_job(submit(database, create), database.transaction, Store.at(folder), lambda: False)


def test_it_computes_with_the_threads_that_are_asked_for(shelf: Database, tmp_path: Path) -> None:
    keep_threads(opened(shelf, tmp_path, request(**FEW)))
    assert torch.get_num_threads() == 1  # as the worker has it
    keep_threads(opened(shelf, tmp_path, request(num_threads=2, **FEW)))
    assert torch.get_num_threads() == 2


def test_a_resumed_search_goes_on_with_the_threads_that_it_began_with(
    shelf: Database, tmp_path: Path
) -> None:
    job = opened(shelf, tmp_path, request(**FEW))
    step = SearchStep(1, 0, "warmup", 1.0, None, 0.4, 900.0, 2.0, 5.0, 100.0, ((0.5, 0.5),), num_threads=2)
    with shelf.transaction() as session:
        record_step(session, job.job_id, step)
    keep_threads(job)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("asked", [0, 1000])
def test_a_number_that_no_machine_has_is_refused(asked: int) -> None:
    with pytest.raises(ValueError, match=r"num_threads must lie in 1\.\.256"):
        request(num_threads=asked, **FEW)
