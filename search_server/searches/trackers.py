"""Searches in the books of experiments that people keep: MLflow, Weights & Biases, TensorBoard."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.searches import SearchCreate, SearchStep
from search_server.resources.tabular import flat
from search_server.searches.mlflow_run import mlflow_run
from search_server.searches.wandb_run import wandb_run

_log = structlog.get_logger()


class Tracker(Protocol):
    """A book with a page for one search."""

    def write(self, step: SearchStep) -> None:
        """Note a step."""

    def finish(self, found: FoundArchitecture) -> None:
        """Note what the search delivers; nothing follows."""


@dataclass(frozen=True, slots=True)
class Trackers:
    """What an operator wants searches noted in."""

    tensorboard: Path | None = None
    """Folder for TensorBoard's event files, a folder a search."""
    mlflow: str | None = None
    """Address of MLflow's store: a server, a database or a folder."""
    wandb: str | None = None
    """Project of Weights & Biases."""
    folder: Path = Path()
    """What libraries keep on this machine is kept there."""


NO_TRACKERS = Trackers()


@dataclass(frozen=True, slots=True)
class _All:
    """Several books; one that fails is no reason to lose a search."""

    books: Sequence[Tracker]

    def write(self, step: SearchStep) -> None:
        self._each(lambda book: book.write(step))

    def finish(self, found: FoundArchitecture) -> None:
        self._each(lambda book: book.finish(found))

    def _each(self, note: Callable[[Tracker], None]) -> None:
        for book in self.books:
            try:
                note(book)
            except Exception as error:  # whatever a foreign library raises
                _log.warning("a tracker failed", tracker=type(book).__name__, error=str(error))


@contextmanager
def tracked(trackers: Trackers, job_id: str, request: SearchCreate) -> Iterator[Tracker]:
    """Open the page of a search in MLflow and in Weights & Biases until the block ends.

    A search that goes on finds its page again by its id.

    Raises:
        ValueError: the library of one is not installed.
    """
    asked = {name: value for name, value in flat(request).items() if value not in (None, [], ())}
    with ExitStack() as stack:
        books: list[Tracker] = []
        if trackers.mlflow is not None:
            books.append(stack.enter_context(mlflow_run(trackers.mlflow, job_id, asked)))
        if trackers.wandb is not None:
            books.append(stack.enter_context(wandb_run(trackers.wandb, job_id, asked, trackers.folder)))
        yield _All(books)
