"""Which of its trained networks a search delivers."""

from collections.abc import Sequence

from search_server.resources.found_networks import FoundArchitecture
from search_server.searches.search_job import SearchJob
from search_server.searches.targets import loads


def chosen_network(job: SearchJob, networks: Sequence[FoundArchitecture]) -> FoundArchitecture:
    """Return the best on the validation split of the found networks and the largest; of equals a found one.

    The largest, which the latency table alone gives, is among them where the loss holds limits, and where
    it keeps these, or is no further above them than a found one.
    """
    found = [network for network in networks if network.role == "found"]
    rivals = []
    if job.request.loss == "budget":  # other losses trade latency for accuracy and have no largest network
        most = max(1.0, *(max(loads(job, network)) for network in found))
        largest = [network for network in networks if network.role == "most_macs"]
        rivals = [network for network in largest if max(loads(job, network)) <= most]
    return max([*found, *rivals], key=lambda network: network.validation_accuracy or 0.0)
