"""The steps of a search as event files that TensorBoard shows; needs the extra ``tensorboard``."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search_server.resources.searches import SearchStep
from search_server.searches.step_figures import step_figures


@dataclass(frozen=True, slots=True)
class EventFiles:
    """Writes steps; without a writer it writes nothing."""

    writer: Any | None
    """``torch.utils.tensorboard.SummaryWriter``."""

    def write(self, step: SearchStep) -> None:
        """Write every figure of a step under the step's number."""
        if self.writer is None:
            return
        for name, value in step_figures(step).items():
            self.writer.add_scalar(name, value, step.step)
        self.writer.flush()


@contextmanager
def event_files(folder: Path | None, first_step: int) -> Iterator[EventFiles]:
    """Open event files until the block ends; what an earlier run wrote behind ``first_step`` is void.

    Raises:
        ValueError: TensorBoard is not installed.
    """
    if folder is None:
        yield EventFiles(None)
        return
    try:
        tensorboard: Any = importlib.import_module("torch.utils.tensorboard")
    except ImportError as error:
        raise ValueError("event files need TensorBoard: pip install tensorboard") from error
    with tensorboard.SummaryWriter(str(folder), purge_step=first_step + 1) as writer:
        yield EventFiles(writer)
