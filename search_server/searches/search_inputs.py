"""What a search is given, as the search reads it: images and latency tables."""

from search_server.nas.budget.search_caps import DeviceTable
from search_server.nas.data.data_sets import load_data
from search_server.nas.data.images import DataSplits, with_theta_share
from search_server.searches.search_job import SearchJob


def search_data(job: SearchJob) -> DataSplits:
    """Load the images of a search."""
    request = job.request
    data = load_data(
        job.data_roots.find(request.data),  # once more: it may be another folder or a link by now
        job.space.resolution,
        request.seed,
        request.num_classes,
        request.class_names,
        request.mirror,
        lambda done, total: job.tell("data", 0.0, f"looking at the images: {done} of {total}"),
    )
    if data.notes:
        job.tell("data", 0.0, "; ".join(data.notes))
    data.require_fit(job.space.num_classes, job.space.name)
    if request.theta_share is not None:
        data = with_theta_share(data, request.theta_share, request.seed)
    return data


def device_tables(job: SearchJob) -> list[DeviceTable]:
    """Return the tables of a search with their targets."""
    return [DeviceTable(each.name, each.table, each.target_ms, each.weight) for each in job.devices]
