"""Networks with a name, and whether two tables agree on their order, worked out by hand."""

from datetime import UTC, datetime

import pytest

from search_server.latency.diff import diff_tables
from search_server.latency.known_networks import known_networks, named_predictions
from search_server.resources.latencies import NamedPrediction
from search_server.resources.tables import Table, TableCell, TableSummary
from shared.architecture import parse_architecture
from shared.protocol.device import Conditions
from shared.search_space import search_space
from tests.search_server.synthetic import network_latency_us
from tests.search_server.tables import known_table


def test_published_networks_stand_in_the_space_whose_blocks_they_have() -> None:
    space = search_space("fbnet-224")
    networks = known_networks(space)
    assert list(networks)[:4] == ["fbnet-a", "fbnet-b", "fbnet-b-release", "fbnet-c"]
    assert "mobilenetv3-large" not in networks  # other blocks
    assert networks["fbnet-c"] == parse_architecture("fbnet-c")
    # FBNet-A is published with another head; here it has the space's own.
    assert networks["fbnet-a"].space == space
    assert parse_architecture("fbnet-a", space).space != space
    assert networks["k5_e6"].blocks == ("k5_e6",) * 22


def test_a_table_predicts_its_known_networks() -> None:
    table = known_table("device_1")
    named = {each.name: each for each in named_predictions(table)}
    assert set(named) == set(search_space("fbnet-tiny").candidates)  # no published network is as small
    network = parse_architecture("k3_e6", table.search_space).workload()
    assert named["k3_e6"].latency_us == pytest.approx(network_latency_us(network))
    assert (named["k3_e6"].macs, named["k3_e6"].params) == (network.macs, network.num_params)


def test_cells_tell_what_the_whole_network_computes() -> None:
    table = known_table("device_1")
    network = parse_architecture("k5_e3", table.search_space).workload()
    cells = [cell for cell in table.cells() if cell.block in ("", "k5_e3")]
    assert sum(cell.macs for cell in cells) == network.macs
    assert sum(cell.params for cell in cells) == network.num_params
    assert [cell.input_shape for cell in cells] == list(network.shapes()[:-1])
    assert cells[-1].output_shape == network.output_shape


def _table(snapshot: str) -> Table:
    moment = datetime.now(UTC).isoformat()
    summary = TableSummary(
        snapshot, "device_1", "bench", "fbnet-tiny", Conditions(), moment, 1.0, 2, 2, None
    )
    cells = (TableCell("stem", "", "key_1", 1.0, 0.1, 1), TableCell("head", "", "key_2", 2.0, 0.1, 1))
    return Table(summary, cells)


def _named(latencies_us: dict[str, float | None]) -> list[NamedPrediction]:
    return [NamedPrediction(name, name, 1, 1, us, None, None) for name, us in latencies_us.items()]


def test_pairs_that_two_tables_order_differently_are_counted() -> None:
    of_a = _named({"small": 10.0, "middle": 20.0, "large": 30.0, "unknown": 40.0})
    of_b = _named({"small": 25.0, "middle": 20.0, "large": 15.0, "unknown": None})
    diff = diff_tables(_table("a"), _table("b"), of_a, of_b)
    assert [(each.name, each.rank_a, each.rank_b) for each in diff.networks] == [
        ("small", 0, 2),
        ("middle", 1, 1),
        ("large", 2, 0),
    ]
    assert diff.num_flipped_pairs == 3  # each of the three pairs
    assert diff.networks[2].ratio == 0.5
    assert diff_tables(_table("a"), _table("b"), of_a, of_a).num_flipped_pairs == 0
