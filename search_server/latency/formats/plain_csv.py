"""A table that a person writes: ``layer,block,latency_ms``, one line a cell, for any space.

Stem and head stand in lines of their own with an empty block, or ``-``. Optional columns are ``sigma_ms``,
the standard error of the latency, and ``num_samples``. Lines that begin with ``#`` are comments.
"""

from search_server.latency.formats.csv_lines import CsvLine, read_csv
from search_server.latency.formats.numbers import read_count, read_number, shortened
from search_server.latency.formats.reading import ImportedFile, ReadLatency, ReadTable, table_of_latencies
from search_server.latency.limits import MAX_SAMPLES
from search_server.latency.plausibility import MAX_CELL_US, require_free_identity
from shared.macro_architecture import PlacedSegment, SearchSpace
from shared.protocol.device import Conditions
from shared.workload import IDENTITY_KEY

COLUMNS = ("layer", "block", "latency_ms")
_OPTIONAL = ("sigma_ms", "num_samples")
_NO_BLOCK = ("", "-")
_CONDITIONS = Conditions("other")


def read_plain_csv(file: ImportedFile) -> ReadTable:
    """Return the table that a file of cells gives for a space.

    Raises:
        ValueError: not such a file, no space was named, a line names no cell of it or one that another
            line gave, or a latency is impossible; the message names line and value.
    """
    space = file.require_space()
    lines = read_csv(file.content, COLUMNS, " of cells; docs/tables.md shows such a file")
    unknown = [name for name in lines[0].texts if name not in (*COLUMNS, *_OPTIONAL)]
    if unknown:
        known = ", ".join((*COLUMNS, *_OPTIONAL))
        raise ValueError(f"line 1: unknown column {shortened(unknown[0])!r}; the columns are {known}")
    cells = {(placed.segment.name, placed.block): placed for placed in space.segments()}
    seen: dict[PlacedSegment, int] = {}
    latencies: dict[str, ReadLatency] = {}
    for line in lines:
        placed, where = _cell(line, cells, space), f"line {line.number}"
        if placed in seen:
            raise ValueError(f"{where}: this cell stands in line {seen[placed]} already; keep one")
        seen[placed] = line.number
        latency = _latency(line)
        if placed.key == IDENTITY_KEY:
            require_free_identity(f"{placed.segment.name} {placed.block} in {where}", latency.us)
        elif latencies.setdefault(placed.key, latency) != latency:
            twin = next(other for other in seen if other.key == placed.key)
            raise ValueError(
                f"{where}: this cell computes the same as that of line {seen[twin]} and must have the same "
                f"latency, {latencies[placed.key].us / 1000:g} ms"
            )
    return table_of_latencies(
        file, space, latencies, file.conditions or _CONDITIONS, source="plain CSV of cells"
    )


def _cell(line: CsvLine, cells: dict[tuple[str, str], PlacedSegment], space: SearchSpace) -> PlacedSegment:
    layer, block = line["layer"].strip(), line["block"].strip()
    placed = cells.get((layer, "" if block in _NO_BLOCK else block))
    if placed is not None:
        return placed
    layers = [layer.name for layer in space.layers]
    raise ValueError(
        f"line {line.number}: space {space.name} has no cell {shortened(f'{layer} {block}')!r}; its layers "
        f"are {layers[0]} to {layers[-1]} with blocks {', '.join(space.candidates)}, and stem and head "
        "with an empty block"
    )


def _latency(line: CsvLine) -> ReadLatency:
    num_samples = line.texts.get("num_samples", "").strip()
    where = f"line {line.number}: num_samples"
    count = read_count(num_samples, where) if num_samples else 0
    if not 0 <= count <= MAX_SAMPLES:
        raise ValueError(f"{where} must lie in 0..{MAX_SAMPLES:g}, got {count:g}")
    has_sigma = bool(line.texts.get("sigma_ms", "").strip())
    return ReadLatency(
        _microseconds(line, "latency_ms"), _microseconds(line, "sigma_ms") if has_sigma else None, count
    )


def _microseconds(line: CsvLine, column: str) -> float:
    where = f"line {line.number}: {column}"
    us = 1000 * read_number(line[column], where)
    if not 0 <= us <= MAX_CELL_US:
        raise ValueError(f"{where} must lie in 0..{MAX_CELL_US / 1000:g}, got {us / 1000:g}")
    return us
