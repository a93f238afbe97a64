"""One line a cell, for spreadsheets; comes back without verdict and with the last digit rounded."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from search_server.latency.formats.csv_lines import CsvLine, read_csv
from search_server.latency.formats.json_text import read_json
from search_server.latency.formats.numbers import read_count, read_number, shortened
from search_server.latency.formats.own_json import require_normal_space
from search_server.latency.formats.reading import ImportedFile, ReadTable
from search_server.latency.neighbours import Neighbours
from search_server.latency.plausibility import require_free_identity
from search_server.latency.table import LatencyTable, TableEntry
from search_server.resources.tables import Table, TableCell
from shared.protocol.device import Conditions
from shared.protocol.wire import from_dict, to_json
from shared.search_space import SearchSpace, search_space
from shared.workload import IDENTITY_KEY

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

_CELL_COLUMNS = ("layer", "block", "key", "latency_us", "sigma_us", "num_samples", "status")
_TABLE_COLUMNS = (
    "anchor_us",
    "network_sigma",
    "verdict",
    "is_simulated",
    "source",
    "conditions_json",
    "neighbours_json",
)
"""Alike on every line; behind the cells' columns, whose places are promises."""

_NO_LATENCY = ("missing", "identity")
_BY_CSV = ", by CSV from "


def to_csv(table: Table, content: LatencyTable) -> str:
    """Return one line a cell; text that a spreadsheet would take for a formula is quoted with ``'``.

    Args:
        table: the snapshot.
        content: the same, for what the resource lacks: the relative error of a whole network's prediction,
            and what neighbours add.
    """
    summary = table.summary
    word = summary.verdict.word if summary.verdict else "none"
    head = (summary.snapshot, summary.device_name, summary.space, str(summary.conditions))
    tail = (
        summary.anchor_us,
        content.network_sigma,
        word,
        summary.is_simulated,
        summary.source,
        to_json(summary.conditions),
        to_json(content.neighbours),
    )
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("snapshot", "device", "space", "conditions", *_CELL_COLUMNS, *_TABLE_COLUMNS))
    for cell in table.cells:
        values = (*head, *_cell_values(cell), *tail)
        writer.writerow(_without_formula(value) if isinstance(value, str) else value for value in values)
    return file.getvalue()


def read_own_csv(file: ImportedFile) -> ReadTable:
    """Return the table of an exported CSV file.

    Raises:
        ValueError: a column is missing, a line has other values than its neighbours or no numbers, or
            the table was not accepted, of which the file does not hold the reasons.
    """
    file.forbid_conditions()
    lines = _lines(file.content)
    first = lines[0]
    if first["verdict"] == "not accepted":
        raise ValueError(
            "this table was not accepted, and CSV does not hold the reasons; import its JSON or "
            "Parquet file"
        )
    anchor_us = _number(first, "anchor_us")
    if not anchor_us > 0:
        raise ValueError(f"anchor_us must be above 0, got {anchor_us}")
    table = LatencyTable(
        space=first["space"],
        device_id="",
        conditions=from_dict(read_json(first["conditions_json"].encode()), Conditions),
        anchor_us=anchor_us,
        entries=_entries(lines, search_space(first["space"]), anchor_us),
        network_sigma=_number(first, "network_sigma"),
        neighbours=from_dict(read_json(first["neighbours_json"].encode()), Neighbours),
        created_at=file.created_at,
        source=f"{first['source'].partition(_BY_CSV)[0]}{_BY_CSV}{first['snapshot']}",
        is_simulated=first["is_simulated"] == "True",
    )
    return ReadTable(
        require_normal_space(table),
        ("read from CSV, which does not hold the verdict: JSON and Parquet files bring it along",),
    )


def _entries(lines: Sequence[CsvLine], space: SearchSpace, anchor_us: float) -> dict[str, TableEntry]:
    key_of = {(placed.segment.name, placed.block): placed.key for placed in space.segments()}
    seen: set[tuple[str, str]] = set()
    entries: dict[str, TableEntry] = {}
    for line in lines:
        cell, where = (line["layer"], line["block"]), _where(line)
        if key_of.get(cell) != line["key"]:
            raise ValueError(f"{where}: {shortened(line['key'])!r} is not this cell's key in {space.name}")
        if cell in seen:
            raise ValueError(f"{where}: this cell stands in the file twice")
        seen.add(cell)
        if line["key"] == IDENTITY_KEY:
            require_free_identity(" ".join(cell), _number(line, "latency_us"))
        if line["status"] in _NO_LATENCY:
            continue
        entry = TableEntry(
            _number(line, "latency_us") / anchor_us,
            _number(line, "sigma_us") / anchor_us if line["sigma_us"] else None,
            read_count(line["num_samples"], f"{where}: num_samples"),
            line["status"],
        )
        if entries.setdefault(line["key"], entry) != entry:
            raise ValueError(f"{where}: segment {line['key']} stands in the file with other values too")
    return entries


def _cell_values(cell: TableCell) -> tuple[Any, ...]:
    return tuple(getattr(cell, name) for name in _CELL_COLUMNS)


def _lines(content: bytes) -> list[CsvLine]:
    """Return the lines, formula quotes taken off; what is said of the table is alike on all of them."""
    wanted = ("snapshot", "space", *_CELL_COLUMNS, *_TABLE_COLUMNS)
    read = read_csv(content, wanted, " that export writes")
    lines = [
        CsvLine(line.number, {name: _unquoted(text) for name, text in line.texts.items()}) for line in read
    ]
    for line in lines:
        for name in ("snapshot", "space", *_TABLE_COLUMNS):
            if line[name] != lines[0][name]:
                raise ValueError(
                    f"line {line.number}: {name} is {shortened(line[name])!r}, in line {lines[0].number} "
                    f"{shortened(lines[0][name])!r}"
                )
    return lines


def _where(line: CsvLine) -> str:
    cell = shortened(f"{line['layer']} {line['block']}".strip())
    return f"line {line.number} ({cell})"


def _number(line: CsvLine, name: str) -> float:
    return read_number(line[name], f"{_where(line)}: {name}")


def _without_formula(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _unquoted(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA_STARTS) else text
