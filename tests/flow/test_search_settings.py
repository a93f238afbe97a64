"""From a request to a search: presets and options arrive, finalists inherit, mixed precision holds."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

from search_server.client.search_view import print_search, step_line
from search_server.db.migrate import migrate_to_head
from search_server.db.session import Database
from search_server.jobs.registry import Submission, find_job
from search_server.latency.stored.imports import import_table
from search_server.resources.searches import Search, SearchCreate
from search_server.searches.pipeline import run_search_job
from search_server.searches.searches import search_resource, search_steps_after, submit_search
from shared.search_space import search_space
from tests.search_server.tables import known_table

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SPACE = search_space("fbnet-tiny:width=0.25,resolution=16,classes=2")
FEW = {"epochs": 2, "warmup_epochs": 1, "train_epochs": 1, "num_samples": 1, "num_classes": 2}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A device without an agent."""
    database = Database(f"sqlite:///{tmp_path / 'edgenas.db'}")
    migrate_to_head(database.engine)
    with database.transaction() as session:
        content = known_table("", SPACE.name).to_json().encode()
        import_table(session, content, "json", "shelf", None, NOW)
    yield database
    database.close()


def request(**changes: object) -> SearchCreate:
    low_us, high_us = known_table("", SPACE.name).latency_range_us()
    values = {"target_ms": (low_us + high_us) / 2000, **changes}
    return SearchCreate("shelf", SPACE.name, "digits", **values)  # type: ignore[arg-type]


def submit(database: Database, create: SearchCreate) -> str:
    with database.transaction() as session:
        return submit_search(session, create, Submission(None), NOW).job_id


def run(database: Database, folder: Path, create: SearchCreate) -> Search:
    job_id = submit(database, create)
    run_search_job(job_id, database.transaction, folder, lambda: False, accelerator="cpu")
    with database.transaction() as session:
        search = search_resource(session, find_job(session, job_id, "search"), NOW)
    assert search.job.status == "done", search.job.message
    return search


def test_finalists_and_baselines_go_on_from_the_supernet(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create = request(training="inherit", tau_start=7.0, tau_decay=0.0, **FEW)
    search = run(database, tmp_path, create)
    with database.transaction() as session:
        steps = search_steps_after(session, search.job.job_id, -1)
    assert [step.tau for step in steps] == [7.0, 7.0]
    roles = {network.role for network in search.architectures}
    assert {"found", "uniform"} <= roles
    assert all(network.test_accuracy is not None for network in search.architectures)
    print_search(search)
    printed = " ".join(capsys.readouterr().out.split())
    assert "fine-tuned from the supernet's weights, 1 epoch" in printed
    assert "small-budget: loss budget, paths one, weights entangled, 2 epochs (1 of warm-up)" in printed
    scratch = run(database, tmp_path, replace(create, training="scratch"))
    assert scratch.result is not None
    assert search.result is not None
    assert scratch.result.architecture == search.result.architecture
    inherited, fresh = (
        torch.load(tmp_path / "searches" / each.job.job_id / "network.pt", weights_only=True)
        for each in (search, scratch)
    )
    assert inherited.keys() == fresh.keys()
    assert not torch.equal(inherited["segments.stem.0.weight"], fresh["segments.stem.0.weight"])


def test_the_paper_s_search_in_mixed_precision_ends(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create = request(
        preset="fbnet-paper", mixed_precision=True, compare_baselines=False, target_ms=None, **FEW
    )
    search = run(database, tmp_path, replace(create, batch_size=64))
    with database.transaction() as session:
        steps = search_steps_after(session, search.job.job_id, -1)
    assert [step.accelerator for step in steps] == ["cpu", "cpu"]
    assert [step.tau for step in steps] == pytest.approx([5.0, 4.78], abs=1e-3)
    assert "img/s on cpu" in step_line(steps[-1], 2)
    print_search(search)
    assert "fbnet-paper: loss fbnet (alpha 0.2, beta 0.6, LAT in us), paths soft" in " ".join(
        capsys.readouterr().out.split()
    )


def test_a_search_that_does_not_fit_says_what_would(database: Database, tmp_path: Path) -> None:
    job_id = submit(database, request(**FEW))

    def fill_memory() -> bool:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    with pytest.raises(ValueError, match=r"batches of 64 and paths 'one' \(CUDA out of memory\); submit"):
        run_search_job(job_id, database.transaction, tmp_path, fill_memory)


def test_an_accelerator_that_is_not_there_is_named(database: Database, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has the accelerator")
    job_id = submit(database, request(**FEW))
    with pytest.raises(ValueError, match=r"accelerator 'cuda' cannot be used: torch .* finds cpu"):
        run_search_job(job_id, database.transaction, tmp_path, lambda: False, accelerator="cuda")


def test_the_last_step_tells_what_networks_were_drawn_with(database: Database, tmp_path: Path) -> None:
    search = run(database, tmp_path, request(**FEW))
    with database.transaction() as session:
        *before, last = search_steps_after(session, search.job.job_id, -1)
    assert [step.drawn_from for step in before] == [None] * len(before)
    assert last.drawn_from is not None
    for row in last.drawn_from:
        assert sum(row) == pytest.approx(1)
        assert min(row) > 1e-6  # so little decided that every candidate may be drawn
