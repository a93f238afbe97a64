"""A search in the books of experiments that people keep, read back from them without a network."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from search_server.db.session import Database
from search_server.jobs.registry import find_job
from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.searches import Search, SearchStep
from search_server.searches.pipeline import run_search_job
from search_server.searches.searches import search_resource, search_steps_after
from search_server.searches.step_figures import found_figures, step_figures
from search_server.searches.trackers import Trackers, _All
from search_server.store import Store
from tests.flow.shelf import FEW, NOW, request, submit


def tracked_search(
    database: Database, folder: Path, trackers: Trackers
) -> tuple[Search, tuple[SearchStep, ...]]:
    create = request(**FEW, compare_baselines=False)
    job_id = submit(database, create)
    run_search_job(job_id, database.transaction, Store.at(folder), lambda: False, trackers, "cpu")
    with database.transaction() as session:
        search = search_resource(session, find_job(session, job_id, "search"), NOW)
        return search, search_steps_after(session, job_id, -1)


def test_mlflow_shows_options_steps_and_result(shelf: Database, tmp_path: Path) -> None:
    tracking = pytest.importorskip("mlflow.tracking", reason="not installed: pip install mlflow-skinny")
    store = f"file://{tmp_path / 'runs'}"
    search, steps = tracked_search(shelf, tmp_path, Trackers(mlflow=store))
    client = tracking.MlflowClient(store)
    experiment = client.get_experiment_by_name("edgenas")
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == (search.job.job_id, "FINISHED")
    assert run.data.params["data"] == "digits"
    assert run.data.params["epochs"] == "2"
    history = client.get_metric_history(run.info.run_id, "loss/weights")
    assert [(each.step, each.value) for each in history] == [
        (step.step, pytest.approx(step.weight_loss)) for step in steps
    ]
    assert search.result is not None
    assert run.data.metrics["found/test_accuracy"] == pytest.approx(search.result.test_accuracy)
    assert run.data.tags["edgenas.architecture"] == search.result.architecture


def test_weights_and_biases_keeps_a_run_offline(
    shelf: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="not installed: pip install wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    search, _ = tracked_search(shelf, tmp_path, Trackers(wandb="boards", folder=tmp_path))
    (kept,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    assert kept.name == f"run-{search.job.job_id}.wandb"
    assert search.result is not None
    missing = ["loss/weights", "found/test_accuracy", search.result.architecture]
    give_up_s = time.monotonic() + 60
    while missing and time.monotonic() < give_up_s:
        # A process of the library writes the file, also after the run has ended.
        missing = [word for word in missing if word.encode() not in kept.read_bytes()]
    assert not missing


def test_figures_have_units_in_their_names() -> None:
    step = SearchStep(4, 4, "search", 1.5, None, 0.25, 900.0, 2.0, 5.0, 100.0, ((0.5, 0.5),))
    assert step_figures(step) == {
        "loss/weights": 1.5,
        "accuracy": 0.25,
        "latency/expected_ms": 0.9,
        "theta/entropy": 2.0,
        "theta/tau": 5.0,
        "speed/images_per_s": 100.0,
    }
    found = FoundArchitecture("found", "skip,skip", 10, 20, predicted_us=900.0, measured_us=910.0)
    assert found_figures(found) == {
        "found/predicted_ms": 0.9,
        "found/measured_ms": 0.91,
        "found/macs": 10,
        "found/params": 20,
    }


@dataclass
class _Broken:
    """A book whose server went away."""

    def write(self, step: SearchStep) -> None:
        raise ConnectionError("no route to host")

    def finish(self, found: FoundArchitecture) -> None:
        raise ConnectionError("no route to host")


def test_a_book_that_fails_does_not_end_the_search() -> None:
    noted: list[int] = []

    class Whole(_Broken):
        def write(self, step: SearchStep) -> None:
            noted.append(step.step)

    step = SearchStep(4, 4, "search", 1.5, None, 0.25, 900.0, 2.0, 5.0, 100.0, ((0.5, 0.5),))
    _All((_Broken(), Whole())).write(step)
    assert noted == [4]


@pytest.mark.parametrize(
    ("setting", "module", "package"),
    [
        (Trackers(mlflow="runs"), "mlflow.tracking", "mlflow-skinny"),
        (Trackers(wandb="boards"), "wandb", "wandb"),
    ],
)
def test_a_library_that_is_missing_is_named(
    shelf: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    setting: Trackers,
    module: str,
    package: str,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # what Python keeps of a module that is not there
    with pytest.raises(ValueError, match=f"pip install {package}"):
        tracked_search(shelf, tmp_path, setting)
