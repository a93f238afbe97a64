"""The search as its processes run it: each knows its rank, and nothing of the engine that started it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO

import torch

from search_server.engines.engine import Ranks
from search_server.nas.budget.search_caps import DeviceTable
from search_server.nas.checkpoint import checkpoint_bytes, load_checkpoint
from search_server.nas.data.batches import search_batches, sharded_batches
from search_server.nas.search import BatchSource, SearchRun, search
from search_server.nas.shards import Shards
from search_server.nas.supernet.accelerator import choose_accelerator
from search_server.resources.searches import SearchCreate
from search_server.searches.search_inputs import DataChoice
from shared.search_space import search_space


@dataclass(frozen=True, slots=True)
class SearchTask:
    """Everything that a process of a search needs."""

    space: str
    tables: Sequence[DeviceTable]
    request: SearchCreate
    data: DataChoice
    accelerator: str
    num_shards: int
    """Of each step; the processes share them out."""
    num_threads: int | None
    """Of each process; None: as its engine has it."""

    def new_run(self, shards: Shards) -> SearchRun:
        """Return the search at its beginning, as one process has it.

        Raises:
            ValueError: the data, a table or the accelerator does not suit it.
        """
        data, size, seed = self.data.load(), self.request.batch_size, self.request.seed
        weights: BatchSource
        theta: BatchSource
        if shards.number == 1:
            weights, theta = search_batches(data, size, seed)
        else:
            weights, theta = sharded_batches(data, size, seed, shards)
        accelerator = choose_accelerator(self.accelerator)
        space = search_space(self.space)
        return search(space, list(self.tables), weights, theta, self.request, accelerator, shards)


def search_together(ranks: Ranks, task: SearchTask) -> None:
    """Train weights and theta of the supernet, from the latest checkpoint on, and report each epoch."""
    if task.num_threads is not None:
        torch.set_num_threads(task.num_threads)
    run = task.new_run(Shards(task.num_shards, ranks.rank, ranks.world_size))
    checkpoint = ranks.latest_checkpoint()
    if checkpoint is not None:
        load_checkpoint(run, BytesIO(checkpoint))
    notes: tuple[str, ...] = ()
    if ranks.world_size != task.num_shards:
        notes = (
            f"each step of this search has {task.num_shards} shards, which {ranks.world_size} processes "
            "compute: the same sums, rounded in another order than by as many processes as shards",
        )
    for facts in run:
        if ranks.rank == 0:
            ranks.report(replace(facts, warnings=(*notes, *facts.warnings)), checkpoint_bytes(run))
        notes = ()
