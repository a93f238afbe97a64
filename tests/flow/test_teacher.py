"""Networks of a search that learn from the network of an earlier one, or from a module of one's own."""

from pathlib import Path

import pytest
import torch
from torch import nn

from search_server.db.models import JobRow
from search_server.db.session import Database
from search_server.errors import ConflictError, InvalidValueError, NotFoundError
from search_server.jobs.registry import Submission
from search_server.resources.searches import SearchCreate
from search_server.searches.pipeline import run_search_job
from search_server.searches.searches import submit_search
from search_server.store import Store
from tests.flow.shelf import FEW, NOW, request, run, submit

QUICK = {**FEW, "paths": "none", "compare_baselines": False, "ema_decay": 0.9, "mixup": 0.2}
OWN = "tests.flow.test_teacher:two_class_teacher"


def two_class_teacher() -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))


def three_class_teacher() -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))


def test_a_found_network_teaches_that_of_another_search(shelf: Database, tmp_path: Path) -> None:
    first = run(shelf, tmp_path, request(**QUICK))
    taught = run(shelf, tmp_path, request(**QUICK, teacher=first.job.job_id))
    assert taught.architectures[0].architecture == first.architectures[0].architecture
    assert taught.architectures[0].test_accuracy is not None
    alone, with_teacher = (
        torch.load(tmp_path / "searches" / each.job.job_id / "network.pt", weights_only=True)
        for each in (first, taught)
    )
    assert any(not torch.equal(with_teacher[name], value) for name, value in alone.items())


def test_other_classes_than_the_teachers_are_refused(shelf: Database, tmp_path: Path) -> None:
    """Two digits drawn by another seed."""
    first = run(shelf, tmp_path, request(**QUICK))
    job_id = submit(shelf, request(**{**QUICK, "seed": 1}, teacher=first.job.job_id))
    with pytest.raises(ValueError, match="was trained on the classes"):
        run_search_job(job_id, shelf.transaction, Store.at(tmp_path), lambda: False, accelerator="cpu")


def test_only_listed_functions_are_taken(shelf: Database, tmp_path: Path) -> None:
    create = request(**QUICK, teacher=OWN)
    with pytest.raises(InvalidValueError, match="none of this server's"):
        submit(shelf, create)
    job_id = submit_with(shelf, create, OWN)
    with pytest.raises(ValueError, match="EDGENAS_TEACHERS"):  # the worker's list is another
        run_search_job(job_id, shelf.transaction, Store.at(tmp_path), lambda: False, accelerator="cpu")
    run_search_job(
        job_id, shelf.transaction, Store.at(tmp_path), lambda: False, accelerator="cpu", teachers=(OWN,)
    )
    with shelf.transaction() as session:
        assert session.get_one(JobRow, job_id).status == "done"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tests.flow.test_teacher:three_class_teacher", r"logits of shape \(1, 2\)"),
        ("tests.flow.test_teacher:nobody", "cannot be made: AttributeError"),
        ("tests.no_such_module:nobody", "cannot be made: ModuleNotFoundError"),
        ("builtins:dict", "returned dict, not a torch module"),
    ],
)
def test_a_function_that_makes_no_teacher_fails_in_words(
    shelf: Database, tmp_path: Path, name: str, message: str
) -> None:
    job_id = submit_with(shelf, request(**QUICK, teacher=name), name)
    with pytest.raises(ValueError, match=message):
        run_search_job(
            job_id,
            shelf.transaction,
            Store.at(tmp_path),
            lambda: False,
            accelerator="cpu",
            teachers=(name,),
        )


def test_what_teaches_nothing_is_refused_when_submitted(shelf: Database) -> None:
    waiting = submit(shelf, request(**QUICK))
    with pytest.raises(ConflictError, match="has no trained network to teach"):
        submit(shelf, request(**QUICK, teacher=waiting))
    with pytest.raises(NotFoundError):
        submit(shelf, request(**QUICK, teacher="nothing-like-it"))


def submit_with(database: Database, create: SearchCreate, *teachers: str) -> str:
    with database.transaction() as session:
        return submit_search(session, create, Submission(None, teachers=teachers), NOW).job_id
