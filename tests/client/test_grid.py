"""A table shows every word whole, however narrow the terminal."""

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from search_server.client.grid import grid


def shown(table: Table, width: int) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip() for line in capture.get().splitlines() if line.strip()]


def searches() -> Table:
    table = grid("id", "status", ">target ms", "note", title="Searches")
    table.add_row("job_06615be65e54debb07e20a", Text("running"), "9.000", "")
    table.add_row("job_06615be65e54debb07e20b", Text("done"), "12.50", "a second try")
    table.caption = "two in all"
    return table


def test_a_table_that_fits_has_a_line_for_each_row() -> None:
    lines = shown(searches(), 80)
    assert [line.split()[:2] for line in lines[3:5]] == [
        ["job_06615be65e54debb07e20a", "running"],
        ["job_06615be65e54debb07e20b", "done"],
    ]


def test_a_head_breaks_between_words_only() -> None:
    # 26 and 7 columns, 6 of "target", 6 of "second", three gaps of 3 and one at each end
    lines = shown(searches(), 26 + 7 + 6 + 6 + 9 + 2)
    assert [line.split() for line in lines[1:3]] == [["target"], ["id", "status", "ms", "note"]]


def test_a_row_that_does_not_fit_becomes_a_block() -> None:
    assert shown(searches(), 55) == [
        "Searches",
        "id         job_06615be65e54debb07e20a",
        "status     running",
        "target ms  9.000",
        "id         job_06615be65e54debb07e20b",
        "status     done",
        "target ms  12.50",
        "note       a second try",
        "two in all",
    ]


@pytest.mark.parametrize("width", [20, 30, 60])
def test_a_long_name_is_folded_and_nothing_is_lost(width: int) -> None:
    name = "k3_e6," * 22
    table = grid("architecture", ">ms")
    table.add_row(name, "1.234")
    written = "".join("".join(shown(table, width)).split())
    assert name in written.replace("architecture", "").replace("ms1.234", "").replace("1.234", "")
