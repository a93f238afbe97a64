import math
import random
from dataclasses import replace

import numpy as np
import pytest

from search_server.latency.estimate.fit import fit_table
from search_server.latency.layouts import layout_changes
from search_server.latency.neighbours import LayoutCost, Neighbours
from search_server.latency.table import LatencyTable, MissingLatencyError
from shared.architecture import Architecture, random_architecture, uniform_architecture
from tests.latency.measured_leases import CONDITIONS, COVERS, SPACE, results_of_lease


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    results = results_of_lease("a", noise=0.02) + results_of_lease("b", noise=0.02, seed=1)
    return fit_table(SPACE.name, "device", CONDITIONS, COVERS, "anchor", results, "2026-01-01T00:00:00Z")


def test_a_table_survives_json_and_keeps_its_hash(table: LatencyTable) -> None:
    again = LatencyTable.from_json(table.to_json())
    assert again == table
    assert again.snapshot == table.snapshot
    assert replace(table, created_at="later").snapshot == table.snapshot
    assert replace(table, anchor_us=1.0).snapshot != table.snapshot


def test_without_neighbours_a_prediction_is_the_sum_of_its_cells(table: LatencyTable) -> None:
    table = replace(table, neighbours=Neighbours())
    matrix = table.latency_us_LK()
    generator = random.Random(4)
    for _ in range(20):
        network = random_architecture(SPACE, generator)
        predicted = table.predict(network)
        total = table.fixed_us + sum(row[k] for row, k in zip(matrix, network.indices, strict=True))
        assert predicted.latency_us == pytest.approx(total)
        assert predicted.low_us is not None
        assert predicted.high_us is not None
        assert predicted.low_us < predicted.latency_us < predicted.high_us


def test_layout_costs_meet_networks_by_their_neighbours(table: LatencyTable) -> None:
    table = replace(table, neighbours=Neighbours((LayoutCost(8, 0.004),)))
    bare = replace(table, neighbours=Neighbours())
    generator = random.Random(4)
    networks = [random_architecture(SPACE, generator) for _ in range(2000)]
    for network in networks[:20]:
        surplus = layout_changes(SPACE, 8).surplus(network.workload())
        added_us = table.predict(network).latency_us - bare.predict(network).latency_us
        assert added_us == pytest.approx(0.004 * table.anchor_us * surplus)
    layers = np.arange(SPACE.num_layers)
    matrix = np.array(table.latency_us_LK())
    sums = [table.fixed_us + matrix[layers, list(network.indices)].sum() for network in networks]
    predictions = [table.predict(network).latency_us for network in networks]
    assert np.mean(sums) == pytest.approx(np.mean(predictions), rel=0.002)
    identity = SPACE.candidates.index("skip")
    keeps = [layer.keeps_shape for layer in SPACE.layers]
    assert np.array(matrix)[keeps, identity] == pytest.approx(0)


def test_cells_list_stem_layers_and_head_in_order(table: LatencyTable) -> None:
    cells = table.cells()
    assert len(cells) == 2 + SPACE.num_layers * len(SPACE.candidates)
    assert (cells[0].layer, cells[1].layer, cells[-1].layer) == ("stem", "layer01", "head")
    assert all(cell.status in ("ok", "identity") for cell in cells)


def test_the_range_holds_every_network(table: LatencyTable) -> None:
    table = replace(table, neighbours=Neighbours())
    low, high = table.latency_range_us()
    for seed in range(20):
        network = random_architecture(SPACE, random.Random(seed))
        assert low <= table.predict(network).latency_us <= high


def test_a_missing_cell_is_named_never_guessed(table: LatencyTable) -> None:
    network = uniform_architecture(SPACE, "k5_e6")
    layer = network.workload().segment_keys()[1]
    broken = replace(table, entries={k: v for k, v in table.entries.items() if k != layer})
    with pytest.raises(MissingLatencyError, match="no latency for layer01 of k5_e6"):
        broken.predict(network)
    assert broken.latency_us_LK()[0].count(math.inf) == 1
    assert broken.latency_range_us()[1] < table.latency_range_us()[1]
    row = {placed.key for placed in next(iter(SPACE.candidate_segments()))}
    empty = replace(table, entries={k: v for k, v in table.entries.items() if k not in row})
    with pytest.raises(MissingLatencyError, match="has no cell of layer01 at all"):
        empty.latency_us_LK()
    missing = [cell for cell in broken.cells() if cell.status == "missing"]
    assert [(cell.layer, cell.block, cell.latency_us) for cell in missing] == [("layer01", "k5_e6", None)]


def test_another_head_is_a_missing_cell(table: LatencyTable) -> None:
    other = replace(SPACE, name="fbnet-tiny:head=512", head_channels=512)
    with pytest.raises(MissingLatencyError, match="head"):
        table.predict(Architecture(other, ("k3_e1",) * SPACE.num_layers))
