"""Can this be a latency table: impossible cells are refused, odd ones are warned of. Pure."""

import math
from collections.abc import Mapping, Sequence

from search_server.latency.table import LatencyTable
from search_server.resources.tables import TableCell

MAX_CELL_US = 60e6
"""No block of a mobile network takes a minute."""
MAX_ANCHOR_US = 3600e6
MAX_IDENTITY_US = 1.0
MIN_MACS_PER_US = 500.0
"""One core of a Raspberry Pi 4 does four times as many, and what does a thousand times as many, such as a
fast accelerator, is below this limit still once its microseconds are read as milliseconds. Microcontrollers
are below it too: their tables are asked about without need."""
MAX_MACS_PER_US = 2e6
"""Of one image; more than accelerators reach on small networks."""
PROPORTIONAL_TOLERANCE = 1e-6
"""Two devices' measurements never agree to so many digits; a copied file does."""
MIN_COMPARED = 10

_PAIRS = (
    ("k5_e1", "k3_e1"),
    ("k5_e3", "k3_e3"),
    ("k5_e6", "k3_e6"),
    ("k3_e6", "k3_e1"),
    ("k5_e6", "k5_e1"),
    ("k3_e1", "k3_sep"),
    ("k5_sep", "k3_sep"),
    ("k7_sep", "k5_sep"),
    ("k7_e3", "k5_e3"),
    ("k7_e6", "k5_e6"),
    ("k7_e6", "k7_e3"),
    ("k3_e4", "k3_e2"),
    ("d5_e4", "d3_e4"),
    ("d5_k5_e4", "d3_k3_e4"),
)
"""The first computes more than the second in every layer."""


def require_possible(table: LatencyTable) -> None:
    """Return if every cell could be a latency.

    Raises:
        ValueError: a cell is negative, not finite, longer than a minute, or the anchor costs nothing; the
            message names cell and value.
    """
    if not 0 < table.anchor_us <= MAX_ANCHOR_US:
        raise ValueError(
            f"anchor_us must lie above 0 and up to {MAX_ANCHOR_US / 1e6:g} s, got {table.anchor_us}"
        )
    for cell in table.cells():
        if cell.latency_us is not None and not 0 <= cell.latency_us <= MAX_CELL_US:
            raise ValueError(
                f"cell {_name(cell)} must lie in 0..{MAX_CELL_US / 1e6:g} s, got "
                f"{cell.latency_us / 1000:g} ms"
            )


def require_free_identity(cell: str, latency_us: float) -> None:
    """Return if a skip that computes nothing costs nothing.

    Raises:
        ValueError: it costs more than a microsecond; the message names cell and value.
    """
    if not abs(latency_us) <= MAX_IDENTITY_US:
        raise ValueError(f"cell {cell} is an identity and must cost nothing, got {latency_us / 1000:g} ms")


def oddities(table: LatencyTable) -> tuple[str, ...]:
    """Return what is hard to believe of a possible table, one sentence each with its figures."""
    cells = table.cells()
    return (*_free_cells(cells), *_unit_slip(table), *_unlikely_orders(cells))


def likeness(table: LatencyTable, other: LatencyTable) -> float | None:
    """Return the factor by which ``other`` is the same numbers as ``table``; None if it is not."""
    shared_keys = table.entries.keys() & other.entries.keys()
    pairs = [
        (
            table.entries[key].latency_units * table.anchor_us,
            other.entries[key].latency_units * other.anchor_us,
        )
        for key in shared_keys
    ]
    pairs = [pair for pair in pairs if pair != (0.0, 0.0)]
    if len(pairs) < MIN_COMPARED or any(a <= 0 or b <= 0 for a, b in pairs):
        return None
    factor = pairs[0][1] / pairs[0][0]
    is_alike = all(math.isclose(b, a * factor, rel_tol=PROPORTIONAL_TOLERANCE) for a, b in pairs)
    return factor if is_alike else None


def _free_cells(cells: Sequence[TableCell]) -> tuple[str, ...]:
    free = [_name(cell) for cell in cells if cell.latency_us == 0 and cell.status != "identity"]
    if not free:
        return ()
    return (
        f"{len(free)} cells compute something and cost nothing, {free[0]} among them: the latencies are "
        "relative, or were not measured",
    )


def _unit_slip(table: LatencyTable) -> tuple[str, ...]:
    macs, total_us = 0, 0.0
    for key, segment_macs in _macs_by_key(table).items():
        if key in table.entries:
            macs += segment_macs
            total_us += table.entries[key].latency_units * table.anchor_us
    rate = macs / total_us if total_us > 0 else MAX_MACS_PER_US
    if rate * table.conditions.batch < MIN_MACS_PER_US:
        return (
            f"the cells together run at {rate / 1000:.2g} GMAC/s, fewer than one core of a phone: "
            "were the file's microseconds read as milliseconds?",
        )
    if rate > MAX_MACS_PER_US:
        return (
            f"the cells together run at {rate / 1000:.2g} GMAC/s, more than an accelerator on small "
            "networks: were the file's seconds read as milliseconds?",
        )
    return ()


def _macs_by_key(table: LatencyTable) -> Mapping[str, int]:
    return {placed.key: placed.segment.macs(placed.input_shape) for placed in table.search_space.segments()}


def _unlikely_orders(cells: Sequence[TableCell]) -> tuple[str, ...]:
    latency_us = {(cell.layer, cell.block): cell.latency_us for cell in cells}
    layers = sorted({cell.layer for cell in cells if cell.block})
    warnings = []
    for larger, smaller in _PAIRS:
        pairs = [(latency_us.get((layer, larger)), latency_us.get((layer, smaller))) for layer in layers]
        known = [(a, b) for a, b in pairs if a is not None and b is not None]
        num_cheaper = sum(a < b for a, b in known)
        if num_cheaper > len(known) / 2:
            warnings.append(
                f"{larger} is faster than {smaller} in {num_cheaper} of {len(known)} layers, though it "
                "computes more"
            )
    return tuple(warnings)


def _name(cell: TableCell) -> str:
    return f"{cell.layer} {cell.block}".strip()
