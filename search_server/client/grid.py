"""Tables for terminals that break no word: where one is too wide, each row becomes a block of lines."""

from typing import Literal

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table

_WHOLE_COLUMNS = ("id", "snapshot", "table", "parent", "name", "90 % interval")
"""What is copied from a table, or read as one, is never broken into lines."""
_LONGEST_WORD = 24
"""Words that are longer may be folded: architectures, names of nodes."""
_GAP = 3
"""Columns of the terminal between two of the table; it begins and ends with one."""


class Grid(Table):
    """A table that shows rows as blocks of lines where the terminal is too narrow for its words."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the table, or its rows one below the other."""
        widths = [_least_width(console, options, column) for column in self.columns]
        if sum(widths) + _GAP * (len(widths) - 1) + 2 > options.max_width:
            yield from self._blocks()
            return
        for column, width in zip(self.columns, widths, strict=True):
            column.min_width = width
        yield from super().__rich_console__(console, options)

    def _blocks(self) -> RenderResult:
        if self.title:
            yield self.title
        cells = zip(*(column.cells for column in self.columns), strict=True)
        for row, values in zip(self.rows, cells, strict=True):
            block = Table.grid(padding=(0, 2))
            block.add_column(style="dim", no_wrap=True)
            block.add_column(overflow="fold", style=row.style or "")
            for column, value in zip(self.columns, values, strict=True):
                if value != "":
                    block.add_row(column.header, value)
            yield ""
            yield block
        if self.caption:
            yield f"\n{self.caption}"


def grid(*columns: str, title: str | None = None) -> Grid:
    """Return an empty table; a column whose name begins with ``>`` is aligned to the right."""
    table = Grid(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        name = column.lstrip(">")
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name in _WHOLE_COLUMNS)
    return table


def _least_width(console: Console, options: ConsoleOptions, column: Column) -> int:
    """Return how wide a column must be, so that no word of it that is not very long is broken."""
    wide = options.update(width=10_000)
    cells = [Measurement.get(console, wide, cell) for cell in column.cells]
    if column.no_wrap or column.justify == "right":  # a number keeps its unit
        least = max((cell.maximum for cell in cells), default=0)
    else:
        least = min(_LONGEST_WORD, max((cell.minimum for cell in cells), default=0))
    return max(least, Measurement.get(console, wide, column.header).minimum)
