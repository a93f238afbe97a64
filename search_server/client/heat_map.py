"""A latency table in the terminal: layers down, candidates across, colour by the logarithm of latency."""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import median

from rich import box
from rich.table import Table as Grid
from rich.text import Text

from search_server.client.show import microseconds, milliseconds
from search_server.resources.tables import CellDiff, TableCell

_COLOURS = ((38, 70, 111), (42, 120, 142), (53, 167, 124), (163, 206, 79), (253, 216, 53))
"""Dark blue is fast, yellow is slow; lightness alone tells the order too."""


_INK_TURNS_AT = 0.179
"""Relative luminance at which black and white text have equal contrast (WCAG)."""

MOSTLY_MICROSECONDS_US = 100.0
"""A table whose median cell is below this is shown in microseconds."""

_NARROW = 5
"""Characters of a number of which nine columns fit into 80."""

SOUND_STATUSES = ("ok", "imported", "identity")
"""A cell of any other status is marked."""


def heat_map(cells: Sequence[TableCell]) -> Grid:
    """Return a table of latencies; ``?`` marks a missing cell, ``*`` one that was not stable.

    It is in milliseconds, or in microseconds where most cells take less than a tenth of a millisecond, or
    where only so the columns stay narrow; the corner says which. A cell that is an identity costs nothing
    and shows ``0``.
    """
    latencies_us = [cell.latency_us for cell in cells if cell.latency_us] or [1.0]
    in_ms, in_us = (max(len(text(us)) for us in latencies_us) for text in (milliseconds, microseconds))
    is_fast = median(latencies_us) < MOSTLY_MICROSECONDS_US or in_ms > max(in_us, _NARROW)
    number = microseconds if is_fast else milliseconds
    low, high = min(latencies_us), max(latencies_us)
    texts = {(cell.layer, cell.block): _cell_text(cell, low, high, number) for cell in cells}
    return _layers_by_blocks("us" if is_fast else "ms", texts)


def ratio_map(cells: Sequence[CellDiff]) -> Grid:
    """Return a table of the ratios of two tables; ``?`` where one of them lacks the cell."""
    return _layers_by_blocks("B/A", {(cell.layer, cell.block): _ratio_text(cell) for cell in cells})


def _layers_by_blocks(corner: str, texts: Mapping[tuple[str, str], Text]) -> Grid:
    blocks = list(dict.fromkeys(block for _, block in texts if block))
    table = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1), header_style="bold")
    table.add_column(corner, no_wrap=True, min_width=max((len(layer) for layer, _ in texts), default=0))
    for block in blocks:
        # A name a line: nine columns and the layers' names fit into 80 characters.
        table.add_column(block.replace("_", "\n"), justify="right", no_wrap=True)
    for layer in dict.fromkeys(layer for layer, _ in texts):
        row = [(layer, "")] if (layer, "") in texts else [(layer, block) for block in blocks]
        table.add_row(layer, *(texts.get(place, Text()) for place in row))
    return table


def _ratio_text(cell: CellDiff) -> Text:
    if cell.ratio is None:
        is_free = cell.a_us == cell.b_us == 0
        return Text("0", style="dim") if is_free else Text("?", style="bold red")
    rank_a, rank_b = cell.rank_a or 0, cell.rank_b or 0
    mark = "^" if rank_b > rank_a else "v" if rank_b < rank_a else " "
    style = "yellow" if cell.ratio > 1.1 else "cyan" if cell.ratio < 1 / 1.1 else ""
    return Text(f"{cell.ratio:.2f}{mark}", style=style)


def _cell_text(cell: TableCell, low_us: float, high_us: float, number: Callable[[float], str]) -> Text:
    if cell.latency_us is None:
        return Text("?", style="bold red")
    if not cell.latency_us:
        return Text("0", style="dim")
    mark = " " if cell.status in SOUND_STATUSES else "*"
    red, green, blue = _colour(cell.latency_us, low_us, high_us)
    luminance = 0.2126 * (red / 255) ** 2.2 + 0.7152 * (green / 255) ** 2.2 + 0.0722 * (blue / 255) ** 2.2
    ink = "black" if luminance > _INK_TURNS_AT else "white"
    return Text(f" {number(cell.latency_us)}{mark}", style=f"{ink} on rgb({red},{green},{blue})")


def _colour(latency_us: float, low_us: float, high_us: float) -> tuple[int, int, int]:
    span = math.log(high_us / low_us) or 1.0
    place = math.log(latency_us / low_us) / span * (len(_COLOURS) - 1)
    index = min(int(place), len(_COLOURS) - 2)
    red, green, blue = (
        round(start + (end - start) * (place - index))
        for start, end in zip(_COLOURS[index], _COLOURS[index + 1], strict=True)
    )
    return red, green, blue
