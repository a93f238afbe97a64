import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from search_server.latency.plausibility import likeness, oddities, require_possible
from search_server.latency.table import LatencyTable, TableEntry
from shared.workload import segment_key
from tests.latency.measured_leases import ANCHOR as ANCHOR_WORKLOAD
from tests.latency.measured_leases import CONDITIONS, SPACE, network_us, true_segment_us

ANCHOR_US = network_us(ANCHOR_WORKLOAD, true_segment_us())


def table_of(latency_us: dict[str, float], device_id: str = "here") -> LatencyTable:
    return LatencyTable(
        space=SPACE.name,
        device_id=device_id,
        conditions=CONDITIONS,
        anchor_us=ANCHOR_US,
        entries={key: TableEntry(us / ANCHOR_US, 0.0, 0) for key, us in latency_us.items()},
        network_sigma=0.0,
        created_at="2026-01-01T00:00:00+00:00",
    )


def changed(change: Callable[[float], float]) -> LatencyTable:
    return table_of({key: change(us) for key, us in true_segment_us().items()})


def key_of(layer_index: int, block: str) -> str:
    layer = SPACE.layers[layer_index]
    return segment_key(SPACE.candidate(layer, block), layer.input_shape)


def test_nothing_is_odd_about_a_plausible_table() -> None:
    table = table_of(true_segment_us())
    require_possible(table)
    assert oddities(table) == ()


@pytest.mark.parametrize("us", [-1.0, float("nan"), float("inf"), 7e7])
def test_an_impossible_cell_is_named_with_its_value(us: float) -> None:
    table = table_of({**true_segment_us(), key_of(0, "k5_e6"): us})
    with pytest.raises(ValueError, match=rf"cell layer01 k5_e6 .* got {re.escape(f'{us / 1000:g}')} ms"):
        require_possible(table)


@pytest.mark.parametrize(("factor", "question"), [(1e3, "microseconds read"), (1e-3, "seconds read as")])
def test_a_slip_of_the_unit_is_suspected(factor: float, question: str) -> None:
    (warning,) = oddities(changed(lambda us: us * factor))
    assert question in warning


def test_larger_blocks_that_are_faster_are_suspected() -> None:
    warnings = oddities(changed(lambda us: 1e4 / us))
    assert [warning.split(" in ")[0] for warning in warnings] == [
        "k5_e1 is faster than k3_e1",
        "k5_e3 is faster than k3_e3",
        "k5_e6 is faster than k3_e6",
        "k3_e6 is faster than k3_e1",
        "k5_e6 is faster than k5_e1",
    ]


def test_cells_that_cost_nothing_are_counted() -> None:
    (warning,) = oddities(table_of({**true_segment_us(), key_of(0, "k3_e1"): 0.0}))
    assert warning.startswith("1 cells compute something and cost nothing, layer01 k3_e1 among them")


def test_a_copy_is_known_by_its_numbers_even_if_scaled() -> None:
    table = table_of(true_segment_us())
    assert likeness(table, replace(changed(lambda us: 2.5 * us), anchor_us=ANCHOR_US)) == pytest.approx(2.5)
    assert likeness(table, changed(lambda us: us + 0.01)) is None
    assert likeness(table, table_of(dict(list(true_segment_us().items())[:5]))) is None
