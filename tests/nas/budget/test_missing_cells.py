"""A table that lacks cells: the search takes networks of the others."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from search_server.nas.budget.caps import is_within, latency_cap
from search_server.nas.budget.knapsack import networks_within
from search_server.nas.budget.latency_model import LatencyModel
from search_server.nas.budget.search_caps import DeviceTable, search_caps
from search_server.nas.choosing.decided import decided_architecture
from search_server.search_options import SearchOptions
from shared.architecture import Architecture
from shared.search_space import search_space
from tests.nas.small_search import TABLE, HandTable, run_epochs, small_search

SPACE = search_space(
    "own:resolution=16,classes=10,stem=8s2,stages=8x1s1-16x1s2,head=32,blocks=k3_e1-k3_e6-skip"
)


@dataclass(frozen=True)
class Table:
    """The strided skip of layer 2 and the first candidate of layer 1 have no latency."""

    fixed_us: float = 100.0

    def latency_us_LK(self) -> list[list[float]]:
        return [[math.inf, 60.0, 0.0], [30.0, 80.0, math.inf]]


def test_no_network_with_a_missing_cell_keeps_the_limit() -> None:
    """With 190 us: fixed 100, then 60 + 30, 0 + 30 or 0 + 80 fit."""
    cap = latency_cap("phone", LatencyModel(Table(), 2, 3), 190.0)
    log_p_LK = np.log(np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]))
    assert sorted(map(tuple, networks_within(log_p_LK, [cap]))) == [(1, 0), (2, 0), (2, 1)]
    assert not is_within([cap], Architecture(SPACE, ("k3_e1", "k3_e1")))
    assert is_within([cap], Architecture(SPACE, ("k3_e6", "k3_e1")))
    assert cap.least == 130.0


@pytest.mark.parametrize("options", [SearchOptions(loss="fbnet"), SearchOptions(combine="weighted")])
def test_what_does_not_hold_a_target_refuses_such_a_table(options: SearchOptions) -> None:
    devices, latency = [DeviceTable("phone", Table(), 0.19)], LatencyModel(Table(), 2, 3)
    with pytest.raises(ValueError, match="a table lacks cells"):
        search_caps(SPACE, devices, [latency], options)


def test_a_search_decides_on_a_network_that_the_table_knows() -> None:
    """Layer 5 of the small space has no latency for four of nine candidates, the fastest among them."""
    rows = [list(row) for row in TABLE.latency_us_LK()]
    rows[4][0] = rows[4][1] = rows[4][4] = rows[4][8] = math.inf
    known = [[us for us in row if us < math.inf] for row in rows]
    target_us = TABLE.fixed_us + (sum(map(min, known)) + sum(map(max, known))) / 2
    options = SearchOptions(epochs=4, warmup_epochs=1, target_ms=target_us / 1000)
    run = small_search(options, HandTable(rows, TABLE.fixed_us))
    run_epochs(run, 4)
    network = decided_architecture(run.supernet, run.caps)
    assert rows[4][network.indices[4]] < math.inf
    total_us = TABLE.fixed_us + sum(row[k] for row, k in zip(rows, network.indices, strict=True))
    assert total_us <= target_us
