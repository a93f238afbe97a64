"""The heat map in the terminal: every cell has its place, its number and, without colour, its mark."""

from rich.console import Console

from search_server.client.heat_map import heat_map, ratio_map
from search_server.resources.tables import CellDiff, TableCell


def _text(grid: object) -> list[list[str]]:
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(grid)
    return [line.split() for line in capture.get().splitlines() if line.strip()]


def _cell(layer: str, block: str, latency_us: float | None, status: str = "ok") -> TableCell:
    return TableCell(layer, block, "key", latency_us, 1.0, 5, status)


def test_heat_map_shows_milliseconds_and_marks() -> None:
    cells = [
        _cell("stem", "", 1500.0),
        _cell("layer01", "k3_e1", 120.0),
        _cell("layer01", "skip", 0.0, "identity"),
        _cell("layer02", "k3_e1", 45_600.0, "unstable"),
        _cell("layer02", "skip", None, "missing"),
    ]
    rows = _text(heat_map(cells))
    assert rows[0] == ["k3"]
    assert rows[1] == ["ms", "e1", "skip"]
    assert rows[3:] == [["stem", "1.500"], ["layer01", "0.120", "0"], ["layer02", "45.60*", "?"]]


def test_a_fast_table_is_in_microseconds_with_three_digits() -> None:
    cells = [_cell("stem", "", 7.5041), _cell("layer01", "k3_e1", 0.06664), _cell("layer01", "skip", 103.2)]
    rows = _text(heat_map(cells))
    assert rows[1][0] == "us"
    assert rows[3:] == [["stem", "7.50"], ["layer01", "0.0666", "103"]]


def test_numbers_that_are_too_wide_in_milliseconds_are_in_microseconds() -> None:
    cells = [_cell("layer01", "k3_e1", 85.6), _cell("layer01", "k5_e6", 1869.0), _cell("head", "", 496.0)]
    rows = _text(heat_map(cells))
    assert (rows[1][0], rows[3:]) == ("us", [["layer01", "85.6", "1869"], ["head", "496"]])


def test_layers_keep_their_names_at_80_columns() -> None:
    blocks = ["k3_e1", "k3_e1_g2", "k3_e3", "k3_e6", "k5_e1", "k5_e1_g2", "k5_e3", "k5_e6", "skip"]
    cells = [_cell(f"layer{i:02}", block, 1234.5) for i in range(1, 23) for block in blocks]
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(heat_map(cells))
    lines = capture.get().splitlines()
    assert [line.split()[0] for line in lines if "layer" in line] == [f"layer{i:02}" for i in range(1, 23)]
    assert all(line.split()[1:] == ["1.234"] * 9 for line in lines if "layer" in line)


def test_heat_map_of_equal_or_no_latencies() -> None:
    assert _text(heat_map([_cell("layer01", "k3_e1", 10.0), _cell("layer01", "skip", 10.0)]))
    assert _text(heat_map([_cell("layer01", "k3_e1", None, "missing")]))[-1] == ["layer01", "?"]


def test_ratio_map_marks_changes_of_rank() -> None:
    cells = [
        CellDiff("layer01", "k3_e1", 10.0, 12.0, 1.2, 0, 1),
        CellDiff("layer01", "k5_e1", 11.0, 11.0, 1.0, 1, 0),
        CellDiff("layer01", "skip", 0.0, 0.0, None),
        CellDiff("layer01", "k3_e6", 11.0, None, None),
    ]
    assert _text(ratio_map(cells))[-1] == ["layer01", "1.20^", "1.00v", "0", "?"]
