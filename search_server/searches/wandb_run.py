"""A search as a run of Weights & Biases; needs the extra ``wandb``.

``WANDB_MODE=offline`` keeps runs in the data folder, from where ``wandb sync`` sends them.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.searches import SearchStep
from search_server.searches.step_figures import found_figures, step_figures


@dataclass(frozen=True, slots=True)
class WandbRun:
    """An open run."""

    run: Any
    """``wandb.Run``."""

    def write(self, step: SearchStep) -> None:
        """Note the figures of a step under its number."""
        self.run.log(step_figures(step), step=step.step)

    def finish(self, found: FoundArchitecture) -> None:
        """Note what is delivered."""
        words = {"found/architecture": found.architecture, "found/role": found.role}
        self.run.summary.update({**found_figures(found), **words})


@contextmanager
def wandb_run(project: str, job_id: str, asked: Mapping[str, Any], folder: Path) -> Iterator[WandbRun]:
    """Open the run of a search until the block ends; the run of a search that goes on is opened again.

    Args:
        asked: becomes the configuration of the run.
        folder: what the library keeps on this machine is kept there.

    Raises:
        ValueError: the library is not installed, or it has no key and was not told to work offline.
    """
    try:
        wandb: Any = import_module("wandb")
    except ImportError as error:
        raise ValueError("runs of Weights & Biases need its library: pip install wandb") from error
    try:
        run = wandb.init(
            project=project, id=job_id, name=job_id, resume="allow", config=dict(asked), dir=str(folder)
        )
    except wandb.errors.UsageError as error:
        raise ValueError(f"Weights & Biases: {error}; WANDB_MODE=offline keeps runs here") from error
    with run:  # an exception marks it as failed
        yield WandbRun(run)
