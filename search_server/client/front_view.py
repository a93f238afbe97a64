"""A front in words: for each device its targets, and the network that was decoded for each."""

from rich.table import Table as Grid

from search_server.client.grid import grid
from search_server.client.show import count, milliseconds, share
from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.searches import Search


def front_grid(search: Search) -> Grid:
    """Return a line for each point: target, latency there, what effects and training say, size, blocks."""
    table = grid(
        "device",
        ">target ms",
        ">predicted ms",
        ">measured ms",
        ">of target",
        ">estimated nats",
        ">test",
        ">MACs",
        ">params",
        title=f"Front of search {search.request.origin}",
    )
    rows = [
        (point.device, point.target_us, network)
        for network in search.architectures
        for point in network.decoded_for
    ]
    order = {name: index for index, name in enumerate(dict.fromkeys(_devices(search)))}
    for device, target_us, network in sorted(rows, key=lambda row: (order.get(row[0], 0), row[1])):
        predicted_us, measured_us = latency_on(device, network)
        us = predicted_us if measured_us is None else measured_us
        nats = network.estimated_nats
        table.add_row(
            device,
            milliseconds(target_us),
            milliseconds(predicted_us),
            milliseconds(measured_us),
            f"{us / target_us - 1:+.1%}",
            "-" if nats is None else f"{nats:+.3f}",
            share(network.test_accuracy),
            count(network.macs),
            count(network.params),
        )
    table.caption = (
        "estimated: what the search's effects say of cross entropy, against all networks; less is better"
    )
    table.caption_justify = "left"
    return table


def latency_on(device: str, network: FoundArchitecture) -> tuple[float, float | None]:
    """Return a network's predicted and measured latency on a device of the search, us."""
    for other in network.others:
        if other.device == device:
            return other.predicted_us, other.measured_us
    return network.predicted_us, network.measured_us


def _devices(search: Search) -> list[str]:
    return [search.job.device_name, *(other.device for other in search.request.also)]
