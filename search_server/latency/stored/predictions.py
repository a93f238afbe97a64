"""Predict whole networks from a stored table."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from search_server.devices.registry import find_device
from search_server.errors import ConflictError, refusing_values
from search_server.latency.stored.required_table import require_table
from search_server.latency.stored.snapshots import load_table
from search_server.latency.table import LatencyTable, MissingLatencyError
from search_server.resources.latencies import Prediction, PredictionCreate
from shared.architecture import Architecture, parse_architecture
from shared.search_space import search_space


def predict(session: Session, create: PredictionCreate) -> tuple[Prediction, ...]:
    """Return one prediction a network, from the named snapshot or the newest accepted one.

    Raises:
        ConflictError: there is no table, or it lacks cells of a network; the message lists them.
    """
    device = find_device(session, create.device)
    with refusing_values("body.space"):
        space = search_space(create.space)
    with refusing_values("body.architectures"):
        architectures = [parse_architecture(text, space) for text in create.architectures]
    table = require_table(session, device, space.name, create.conditions, create.snapshot)
    return _predicted(table, architectures)


def predict_from(session: Session, snapshot: str, architecture: str) -> Prediction:
    """Return the prediction of one network by one snapshot, refused or not.

    Raises:
        NotFoundError: no such snapshot.
        ConflictError: the table lacks cells of the network; the message lists them.
    """
    table = load_table(session, snapshot)
    with refusing_values("query.architecture"):
        network = parse_architecture(architecture, table.search_space)
    (prediction,) = _predicted(table, [network])
    return prediction


def _predicted(table: LatencyTable, architectures: Sequence[Architecture]) -> tuple[Prediction, ...]:
    try:
        return predictions(table, architectures)
    except MissingLatencyError as error:
        raise ConflictError("missing_latency", str(error)) from error


def predictions(table: LatencyTable, architectures: Sequence[Architecture]) -> tuple[Prediction, ...]:
    """Return what a table says of some networks.

    Raises:
        MissingLatencyError: it lacks cells of one.
    """
    snapshot = table.snapshot
    predicted = [table.predict(architecture) for architecture in architectures]
    return tuple(
        Prediction(
            str(network),
            p.latency_us,
            p.low_us,
            p.high_us,
            snapshot,
            table.is_simulated,
            table.conditions.batch,
        )
        for network, p in zip(architectures, predicted, strict=True)
    )
