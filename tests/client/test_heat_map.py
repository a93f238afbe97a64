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
    assert rows[0] == ["ms", "k3_e1", "skip"]
    assert rows[2:] == [["stem", "1.500"], ["layer01", "0.120", "0"], ["layer02", "45.60*", "?"]]


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
