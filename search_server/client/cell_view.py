"""The samples of one cell of a table in words: how its times lie, and a line a window."""

from collections.abc import Iterable
from statistics import median

from rich.table import Table as Grid

from search_server.client.grid import grid
from search_server.client.show import microseconds, share
from search_server.resources.samples import CellSamples, CellSpread, CellWindow
from shared.protocol.device import Environment


def spread_facts(samples: CellSamples) -> dict[str, str]:
    """Return how all samples of a cell lie, for :func:`search_server.client.show.facts`."""
    shown = {"cell": f"{samples.layer} {samples.block}".strip(), "profile": samples.job_id}
    if samples.spread is None:
        return shown | {"samples": "none: the cell costs nothing, or its windows were compacted"}
    spread = samples.spread
    return shown | {
        "samples": f"{spread.num_samples} runs under the profiler",
        "median": f"{microseconds(spread.p50_us)} us",
        "p10 .. p90": f"{microseconds(spread.p10_us)} .. {microseconds(spread.p90_us)} us",
        "minimum": f"{microseconds(spread.min_us)} us",
        "variation": f"{share(spread.cv)} (standard deviation over mean)",
    }


def spreads_grid(spreads: Iterable[CellSpread]) -> Grid:
    """Return a line for each cell; one without samples has dashes."""
    table = grid(
        "layer", "block", ">samples", ">median us", ">minimum us", ">p10 us", ">p90 us", ">variation"
    )
    for cell in spreads:
        of = cell.spread
        times = [of.p50_us, of.min_us, of.p10_us, of.p90_us] if of else []
        figures = [str(of.num_samples), *map(microseconds, times), share(of.cv)] if of else ["-"] * 6
        table.add_row(cell.layer, cell.block, *figures)
    return table


def windows_grid(windows: Iterable[CellWindow]) -> Grid:
    """Return a line for each network that holds the cell, in each window."""
    table = grid("started", "network", "in", ">runs", ">median us", "cores", ">GHz", ">celsius")
    for window in windows:
        table.add_row(
            window.started_at[:19].replace("T", " "),
            window.item_id,
            window.layer,
            str(len(window.wall_us)),
            microseconds(median(window.wall_us)) if window.wall_us else "-",
            ",".join(map(str, window.cores_seen)),
            _change(_ghz(window.before, window.cores_seen), _ghz(window.after, window.cores_seen)),
            _change(window.before.temperature_c, window.after.temperature_c, digits=0),
        )
    return table


def _ghz(moment: Environment, cores: Iterable[int]) -> float | None:
    """Return the highest clock of the cores that were seen, or of all where none was."""
    seen = [moment.core_khz[core] for core in cores if core < len(moment.core_khz)]
    known = [khz for khz in seen or moment.core_khz if khz is not None]
    return max(known) / 1e6 if known else None


def _change(before: float | None, after: float | None, digits: int = 2) -> str:
    if before is None or after is None:
        return "-"
    return f"{before:.{digits}f} -> {after:.{digits}f}"
