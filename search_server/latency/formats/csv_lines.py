"""CSV as lines of texts by column; what does not fit the header is refused with its line."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from search_server.latency.formats.numbers import shortened


@dataclass(frozen=True, slots=True)
class CsvLine:
    """One line behind the header."""

    number: int
    """Of the line in the file, counted from 1."""
    texts: dict[str, str]
    """By column."""

    def __getitem__(self, column: str) -> str:
        return self.texts[column]


def read_csv(content: bytes, needed: Sequence[str], hint: str = "") -> list[CsvLine]:
    """Return the lines of a CSV file; empty lines, and those that begin with ``#``, are left out.

    Args:
        content: the file, UTF-8.
        needed: columns that it must have.
        hint: what writes such a file, for the message about a column that is missing.

    Raises:
        ValueError: it is no CSV file with these columns, a column stands in it twice, a line has more or
            fewer values than the header names, or there is none; the message names the line.
    """
    rows = _rows(content)
    if not rows:
        raise ValueError(f"the CSV file is empty; its first line must name {', '.join(needed)}")
    (_, header), *body = rows
    columns = [name.strip() for name in header]
    _require_columns(columns, needed, hint)
    if not body:
        raise ValueError("the CSV file has no lines behind its header")
    for number, row in body:
        if len(row) != len(columns):
            end = "; it ends with a comma too many" if len(row) > len(columns) and not row[-1] else ""
            raise ValueError(
                f"line {number}: {len(columns)} values are expected, as the header names "
                f"{len(columns)} columns, but it has {len(row)}{end}"
            )
    return [CsvLine(number, dict(zip(columns, row, strict=True))) for number, row in body]


def _rows(content: bytes) -> list[tuple[int, list[str]]]:
    rows: list[tuple[int, list[str]]] = []
    try:
        text = content.decode("utf-8-sig")
        _require_commas(text)
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        number = 1
        for row in reader:
            is_comment = bool(row) and row[0].lstrip().startswith("#")
            if any(text.strip() for text in row) and not is_comment:
                rows.append((number, row))
            number = reader.line_num + 1
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"not a CSV file in UTF-8: {error}") from error
    return rows


def _require_commas(text: str) -> None:
    """Look at the header first: behind other separators quotes stand where CSV has none."""
    lines = (line.strip() for line in text.splitlines())
    header = next((line for line in lines if line and not line.startswith("#")), "")
    separator = next((mark for mark in (";", "\t") if mark in header), None)
    if separator is not None and "," not in header:
        name = "tabs" if separator == "\t" else f"{separator!r}"
        raise ValueError(
            f"the header's columns are separated by {name}; separate them by ',' and write numbers with a "
            "decimal point: a spreadsheet set to a language with decimal commas saves CSV otherwise"
        )


def _require_columns(columns: Sequence[str], needed: Sequence[str], hint: str) -> None:
    missing = [name for name in needed if name not in columns]
    if missing:
        known = shortened(", ".join(columns))
        raise ValueError(f"the CSV file lacks columns {', '.join(missing)}{hint}; it has {known}")
    repeated = [name for name in dict.fromkeys(columns) if columns.count(name) > 1]
    if repeated:
        raise ValueError(f"line 1: column {shortened(repeated[0])!r} stands in the header twice")
