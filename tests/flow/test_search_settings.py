"""From a request to a search: presets and options arrive, finalists inherit, mixed precision holds."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import torch

from search_server.client.search_view import print_search, step_line
from search_server.db.session import Database
from search_server.searches.pipeline import run_search_job
from search_server.searches.searches import search_steps_after
from search_server.searches.teachers import weights_name
from search_server.store import Store
from shared.architecture import parse_architecture
from tests.flow.shelf import FEW, SPACE, request, run, submit


def test_finalists_and_baselines_go_on_from_the_supernet(
    shelf: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create = request(training="inherit", tau_start=7.0, tau_decay=0.0, **FEW)
    search = run(shelf, tmp_path, create)
    with shelf.transaction() as session:
        steps = search_steps_after(session, search.job.job_id, -1)
    assert [step.tau for step in steps] == [7.0, 7.0]
    roles = {network.role for network in search.architectures}
    assert {"found", "uniform"} <= roles
    assert all(network.test_accuracy is not None for network in search.architectures)
    print_search(search)
    printed = " ".join(capsys.readouterr().out.split())
    assert "fine-tuned from the supernet's weights, 1 epoch" in printed
    assert (
        "loss budget, paths one, theta by score-function gradient, leave-one-out, weights entangled"
        in printed
    )
    scratch = run(shelf, tmp_path, replace(create, training="scratch"))
    assert scratch.found is not None
    assert search.found is not None
    assert scratch.found.architecture == search.found.architecture
    network = parse_architecture(search.found.architecture, SPACE)
    inherited, fresh = (
        torch.load(
            BytesIO(Store.at(tmp_path).read_sealed(weights_name(each.job.job_id, network))),
            weights_only=True,
        )
        for each in (search, scratch)
    )
    assert inherited.keys() == fresh.keys()
    assert not torch.equal(inherited["segments.stem.0.weight"], fresh["segments.stem.0.weight"])


def test_the_paper_s_search_in_mixed_precision_ends(
    shelf: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create = request(
        preset="fbnet-paper", mixed_precision=True, compare_baselines=False, target_ms=None, **FEW
    )
    search = run(shelf, tmp_path, replace(create, batch_size=64))
    with shelf.transaction() as session:
        steps = search_steps_after(session, search.job.job_id, -1)
    assert [step.accelerator for step in steps] == ["cpu", "cpu"]
    assert [step.tau for step in steps] == pytest.approx([5.0, 4.78], abs=1e-3)
    assert "img/s on cpu" in step_line(steps[-1], 2)
    print_search(search)
    assert "fbnet-paper: loss fbnet (alpha 0.2, beta 0.6, LAT in us), paths soft" in " ".join(
        capsys.readouterr().out.split()
    )


def test_the_paper_s_search_reports_networks_that_theta_draws(shelf: Database, tmp_path: Path) -> None:
    """As they come: their latencies spread, since nothing was decoded towards a limit."""
    few = {**FEW, "num_samples": 8, "warmup_epochs": 0, "epochs": 1}
    create = request(preset="fbnet-paper", compare_baselines=False, target_ms=None, **few)
    search = run(shelf, tmp_path, replace(create, batch_size=32, step_images=32))
    with shelf.transaction() as session:
        *_, last = search_steps_after(session, search.job.job_id, -1)
    assert last.drawn_from is not None
    for drawn, of_theta in zip(last.drawn_from, last.theta, strict=True):
        assert drawn == pytest.approx(of_theta, abs=1e-6)
    latencies_us = [network.predicted_us for network in search.architectures]
    assert len(set(latencies_us)) == 8
    assert max(latencies_us) > 1.05 * min(latencies_us)
    assert search.result is not None
    assert search.result.test_accuracy is not None


def test_a_search_that_does_not_fit_says_what_would(shelf: Database, tmp_path: Path) -> None:
    job_id = submit(shelf, request(**FEW))

    def fill_memory() -> bool:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    with pytest.raises(ValueError, match=r"batches of 64 and paths 'one' \(CUDA out of memory\); submit"):
        run_search_job(job_id, shelf.transaction, Store.at(tmp_path), fill_memory)


def test_an_accelerator_that_is_not_there_is_named(shelf: Database, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has the accelerator")
    job_id = submit(shelf, request(**FEW))
    with pytest.raises(ValueError, match=r"accelerator 'cuda' cannot be used: torch .* finds cpu"):
        run_search_job(job_id, shelf.transaction, Store.at(tmp_path), lambda: False, accelerator="cuda")


def test_the_last_step_tells_what_networks_were_drawn_with(shelf: Database, tmp_path: Path) -> None:
    search = run(shelf, tmp_path, request(**FEW))
    with shelf.transaction() as session:
        *before, last = search_steps_after(session, search.job.job_id, -1)
    assert [step.drawn_from for step in before] == [None] * len(before)
    assert last.drawn_from is not None
    assert last.num_threads == 1
    for row in last.drawn_from:
        assert sum(row) == pytest.approx(1)
        assert min(row) > 1e-6  # so little decided that every candidate may be drawn
