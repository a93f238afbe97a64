"""One line a cell, for spreadsheets; comes back without verdict and with the last digit rounded."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from search_server.latency.formats.own_json import require_normal_space
from search_server.latency.formats.reading import ImportedFile, ReadTable
from search_server.latency.neighbours import Neighbours
from search_server.latency.plausibility import require_free_identity
from search_server.latency.table import LatencyTable, TableEntry
from search_server.resources.tables import Table, TableCell
from shared.protocol.device import Conditions
from shared.protocol.wire import from_json, to_json
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
    verdict = summary.verdict
    word = "none" if verdict is None else "accepted" if verdict.is_accepted else "not accepted"
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
    anchor_us = _number(first, "anchor_us", 1)
    entries: dict[str, TableEntry] = {}
    for number, line in enumerate(lines, 1):
        if line["key"] == IDENTITY_KEY:
            require_free_identity(f"{line['layer']} {line['block']}", _number(line, "latency_us", number))
        if line["status"] in _NO_LATENCY:
            continue
        entry = TableEntry(
            _number(line, "latency_us", number) / anchor_us,
            _number(line, "sigma_us", number) / anchor_us,
            int(_number(line, "num_samples", number)),
            line["status"],
        )
        if entries.setdefault(line["key"], entry) != entry:
            raise ValueError(
                f"line {number}: segment {line['key']} stands in the file with other values too"
            )
    table = LatencyTable(
        space=first["space"],
        device_id="",
        conditions=from_json(first["conditions_json"], Conditions),
        anchor_us=anchor_us,
        entries=entries,
        network_sigma=_number(first, "network_sigma", 1),
        neighbours=from_json(first["neighbours_json"], Neighbours),
        created_at=file.created_at,
        source=f"{first['source'].partition(_BY_CSV)[0]}{_BY_CSV}{first['snapshot']}",
        is_simulated=first["is_simulated"] == "True",
    )
    return ReadTable(
        require_normal_space(table),
        ("read from CSV, which does not hold the verdict: JSON and Parquet files bring it along",),
    )


def _cell_values(cell: TableCell) -> tuple[Any, ...]:
    return tuple(getattr(cell, name) for name in _CELL_COLUMNS)


def _lines(content: bytes) -> list[dict[str, str]]:
    """Return the lines as texts by column, formula quotes taken off."""
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
        lines = [{name: _unquoted(text or "") for name, text in line.items()} for line in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"not a CSV file: {error}") from error
    wanted = ("snapshot", "space", *_CELL_COLUMNS, *_TABLE_COLUMNS)
    missing = [name for name in wanted if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"the CSV file lacks columns {', '.join(missing)}; export writes them")
    if not lines:
        raise ValueError("the CSV file has no lines")
    for number, line in enumerate(lines, 1):
        for name in ("snapshot", "space", *_TABLE_COLUMNS):
            if line[name] != lines[0][name]:
                raise ValueError(f"line {number}: {name} is {line[name]!r}, in line 1 {lines[0][name]!r}")
    return lines


def _number(line: Mapping[str, str], name: str, number: int) -> float:
    try:
        value = float(line[name])
    except ValueError:
        where = f"line {number} ({line['layer']} {line['block']})"
        raise ValueError(f"{where}: {name} must be a number, got {line[name]!r}") from None
    if name == "anchor_us" and not value > 0:
        raise ValueError(f"anchor_us must be above 0, got {value}")
    return value


def _without_formula(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _unquoted(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA_STARTS) else text
