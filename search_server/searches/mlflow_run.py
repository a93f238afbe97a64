"""A search as a run of MLflow; needs the extra ``mlflow``."""

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.searches import SearchStep
from search_server.searches.search_job import StoppedError
from search_server.searches.step_figures import found_figures, step_figures

EXPERIMENT = "edgenas"
_JOB_TAG = "edgenas.job"
_LONGEST_VALUE = 500
_UNNAMEABLE = re.compile(r"[^\w\-./: ]")


@dataclass(frozen=True, slots=True)
class MlflowRun:
    """An open run."""

    client: Any
    """``mlflow.tracking.MlflowClient``."""
    entities: Any
    """The module ``mlflow.entities``."""
    run_id: str

    def write(self, step: SearchStep) -> None:
        """Note the figures of a step under its number."""
        self._log(step_figures(step), step.step)

    def finish(self, found: FoundArchitecture) -> None:
        """Note what is delivered, and that the run has ended well."""
        self._log(found_figures(found), 0)
        self.client.set_tag(self.run_id, "edgenas.architecture", found.architecture)
        self.client.set_tag(self.run_id, "edgenas.role", found.role)
        self.client.set_terminated(self.run_id, "FINISHED")

    def _log(self, figures: Mapping[str, float], step: int) -> None:
        now_ms = round(time.time() * 1000)
        metrics = [
            self.entities.Metric(_UNNAMEABLE.sub("_", name), value, now_ms, step)
            for name, value in figures.items()
        ]
        self.client.log_batch(self.run_id, metrics=metrics)


@contextmanager
def mlflow_run(address: str, job_id: str, asked: Mapping[str, Any]) -> Iterator[MlflowRun]:
    """Open the run of a search until the block ends; the run of a search that goes on is opened again.

    Args:
        address: of MLflow's store: a server, a database or a folder.
        asked: becomes the parameters of the run.

    Raises:
        ValueError: MLflow is not installed, or the store cannot be used.
    """
    try:
        tracking, entities = import_module("mlflow.tracking"), import_module("mlflow.entities")
    except ImportError as error:
        raise ValueError("runs of MLflow need its library: pip install mlflow-skinny") from error
    os.environ.setdefault(
        "MLFLOW_ALLOW_FILE_STORE", "true"
    )  # the store that needs neither server nor driver
    try:
        client = tracking.MlflowClient(address)
        run = MlflowRun(client, entities, _run_id(client, entities, job_id, asked))
    except import_module("mlflow.exceptions").MlflowException as error:
        raise ValueError(f"the MLflow store {address} cannot be used: {str(error)[:300]}") from error
    try:
        yield run
    except StoppedError:
        client.set_terminated(run.run_id, "KILLED")
        raise
    except BaseException:
        client.set_terminated(run.run_id, "FAILED")
        raise


def _run_id(client: Any, entities: Any, job_id: str, asked: Mapping[str, Any]) -> str:
    """Return the run of a search, made if there is none."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT)
    earlier = client.search_runs([experiment_id], f"tags.`{_JOB_TAG}` = '{job_id}'")
    if earlier:
        run_id = str(earlier[0].info.run_id)
        client.update_run(run_id, status="RUNNING")
        return run_id
    run = client.create_run(experiment_id, run_name=job_id, tags={_JOB_TAG: job_id})
    parameters = [entities.Param(name, str(value)[:_LONGEST_VALUE]) for name, value in asked.items()]
    client.log_batch(run.info.run_id, params=parameters)
    return str(run.info.run_id)
