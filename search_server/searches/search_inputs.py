"""What a search is given, as the search reads it: images and latency tables."""

from collections.abc import Callable
from dataclasses import dataclass

from search_server.nas.budget.search_caps import DeviceTable
from search_server.nas.data.data_sets import load_data
from search_server.nas.data.images import DataSplits, with_theta_share
from search_server.searches.search_job import SearchJob


@dataclass(frozen=True, slots=True)
class DataChoice:
    """Which images, and how they are split: each process of a search loads the same."""

    name: str
    """As loaders take it; a folder has to be there on each host."""
    resolution: int
    seed: int
    num_classes: int | None
    class_names: tuple[str, ...]
    mirror: bool | None
    theta_share: float | None

    def load(self, progress: Callable[[int, int], None] | None = None) -> DataSplits:
        """Return the images; a second time in the same process those of the first.

        Args:
            progress: told of the images looked at so far, and of how many there are.

        Raises:
            ValueError: they cannot be read, or are not enough.
        """
        if self not in _loaded:
            data = load_data(
                self.name,
                self.resolution,
                self.seed,
                self.num_classes,
                self.class_names,
                self.mirror,
                progress,
            )
            if self.theta_share is not None:
                data = with_theta_share(data, self.theta_share, self.seed)
            _loaded.clear()
            _loaded[self] = data
        return _loaded[self]


_loaded: dict[DataChoice, DataSplits] = {}
"""What this process has loaded last: a search and its trainings use the same."""


def data_choice(job: SearchJob) -> DataChoice:
    """Return which images a search uses."""
    request = job.request
    return DataChoice(
        job.data_roots.find(request.data),  # once more: it may be another folder or a link by now
        job.space.resolution,
        request.seed,
        request.num_classes,
        tuple(request.class_names),
        request.mirror,
        request.theta_share,
    )


def search_data(job: SearchJob) -> DataSplits:
    """Load the images of a search."""
    data = data_choice(job).load(
        lambda done, total: job.tell("data", 0.0, f"looking at the images: {done} of {total}")
    )
    if data.notes:
        job.tell("data", 0.0, "; ".join(data.notes))
    data.require_fit(job.space.num_classes, job.space.name)
    return data


def device_tables(job: SearchJob) -> list[DeviceTable]:
    """Return the tables of a search with their targets."""
    return [DeviceTable(each.name, each.table, each.target_ms, each.weight) for each in job.devices]
