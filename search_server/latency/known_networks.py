"""Networks of a space that have a name: published ones, and one block in every layer."""

from contextlib import suppress

from search_server.latency.table import LatencyTable, MissingLatencyError, PredictedLatency
from search_server.resources.latencies import NamedPrediction
from shared.architecture import KNOWN_ARCHITECTURES, Architecture, uniform_architecture
from shared.search_space import SearchSpace


def known_networks(space: SearchSpace) -> dict[str, Architecture]:
    """Return by name the published networks whose blocks a space has, then those of one block throughout.

    All have the stem and the head of the space.
    """
    found: dict[str, Architecture] = {}
    for name, known in KNOWN_ARCHITECTURES.items():
        with suppress(ValueError):  # another number of layers, or other blocks
            found[name] = Architecture(space, tuple(known.blocks.split(",")))
    return found | {block: uniform_architecture(space, block) for block in space.candidates}


def named_predictions(table: LatencyTable) -> tuple[NamedPrediction, ...]:
    """Return what a table says of each known network of its space."""
    return tuple(
        _named(table, name, network) for name, network in known_networks(table.search_space).items()
    )


def _named(table: LatencyTable, name: str, network: Architecture) -> NamedPrediction:
    workload = network.workload()
    predicted: PredictedLatency | None = None
    with suppress(MissingLatencyError):
        predicted = table.predict(network)
    return NamedPrediction(
        name=name,
        architecture=str(network),
        macs=workload.macs,
        params=workload.num_params,
        latency_us=predicted.latency_us if predicted else None,
        low_us=predicted.low_us if predicted else None,
        high_us=predicted.high_us if predicted else None,
    )
