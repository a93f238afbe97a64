"""Recorded windows, fitted once more with each part of the estimator left out: what the part is worth.

Six windows of each space are recorded. Four of them make a table, which predicts the 18 covers of the other
two; there are 15 ways to choose the four, so 270 predictions a space. A prediction's error is its distance
from the cover's measured latency, as a share of it; both are in units of the anchor.

Beside a part's mean error stands how much more that is than with all parts: the mean over the 54 covers and
its standard error, each cover compared with itself. A difference of less than two standard errors counts as
noise. ``sigma`` is what tables say of a network's error (``network_sigma``, mean), ``holds`` the share of
covers inside the 90 % interval, which is made wider by the noise of the cover's own measurement. ``repeat``
is by how much entries of two such tables would differ, median and 19 of 20, by the verdict of each table.

The last line is JSON.
"""

import argparse
import json
import math
import multiprocessing
import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from statistics import fmean, stdev

from lab.parts import FULL, PARTS, Part
from lab.recorded import Windows, load, recorded_spaces
from search_server.latency.estimate.fit import gather, table_of
from search_server.latency.estimate.observations import Networks
from search_server.latency.estimate.relative import RelativeLatency, relative_latencies
from search_server.latency.table import LatencyTable
from shared.architecture import Architecture

NUM_FITTED = 4
"""Windows of a split that make its table; the others judge it."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A cover that a table had not seen."""

    item_id: str
    error: float
    """Relative, with its sign."""
    network_sigma: float
    is_held: bool
    """By the 90 % interval."""
    repeat_median: float
    repeat_p95: float
    """What the table says of its entries; see ``Verdict``."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one part gave for one space."""

    mean_error: float
    more: float
    more_error: float
    """How much more that is than with all parts, and the standard error of it."""
    bias: float
    network_sigma: float
    coverage: float
    repeat_median: float
    repeat_p95: float


def main() -> None:
    """Refit recorded windows; print a table and, as JSON, the same."""
    arguments = _parsed_arguments()
    names = [FULL, *(name for name in arguments.part or PARTS if name != FULL)]
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"  # numpy of the workers: there are as many of them as cores
    rows: dict[str, dict[str, Row]] = defaultdict(dict)
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        for space in arguments.space or recorded_spaces():
            splits = list(combinations(load(space).leases, NUM_FITTED))
            jobs = [pool.submit(judge_split, space, split, names) for split in splits]
            by_split = [job.result() for job in jobs]
            pooled = {name: [one for split in by_split for one in split[name]] for name in names}
            for name in names:
                rows[name][space] = row_of(pooled[name], pooled[FULL])
    print_rows(rows)


def judge_split(space: str, fitted: Sequence[str], names: Sequence[str]) -> dict[str, list[Prediction]]:
    """Return by part how a table of some windows predicts the covers of the others.

    Args:
        space: of which windows are recorded.
        fitted: ids of the windows that make the table.
        names: of the parts.
    """
    windows, relative = _windows(space)
    results = windows.results_of(fitted)
    known = {result.item_id for result in results}
    fresh = {item_id: cover for item_id, cover in windows.covers.items() if item_id not in known}
    covers, families = (
        {item_id: each.workload() for item_id, each in networks.items() if item_id in known}
        for networks in (windows.covers, windows.families)
    )
    networks = Networks(covers, families, windows.anchor_id)
    gathered = gather(windows.space.name, "lab", windows.conditions, networks, results, "")
    judged = {}
    for name in names:
        part = PARTS[name]
        table = table_of(part.heard(gathered), part.assumptions)
        judged[name] = [
            _prediction(table, part, item_id, cover, relative[item_id]) for item_id, cover in fresh.items()
        ]
    return judged


def row_of(predictions: Sequence[Prediction], full: Sequence[Prediction]) -> Row:
    """Return what predictions come to, beside those with all parts."""
    errors, full_errors = _mean_by_cover(predictions), _mean_by_cover(full)
    more = [errors[item_id] - full_errors[item_id] for item_id in errors]
    return Row(
        fmean(abs(one.error) for one in predictions),
        fmean(more),
        stdev(more) / math.sqrt(len(more)),
        fmean(one.error for one in predictions),
        fmean(one.network_sigma for one in predictions),
        fmean(one.is_held for one in predictions),
        fmean(one.repeat_median for one in predictions),
        fmean(one.repeat_p95 for one in predictions),
    )


def print_rows(rows: dict[str, dict[str, Row]]) -> None:
    """Print a line for each part, and all of them as one line of JSON."""
    spaces = list(rows[FULL])
    print(f"{'':<28}" + "".join(f"{space:^60}" for space in spaces))
    print(
        f"{'part':<28}"
        + f"{'mean error':>12}{'more':>17}{'sigma':>8}{'holds':>7}{'repeat':>15}" * len(spaces)
    )
    for name, by_space in rows.items():
        cells = (
            f"{row.mean_error:>12.3%}{row.more:>+9.3%}+-{row.more_error:.3%}"
            f"{row.network_sigma:>8.2%}{row.coverage:>7.1%}{row.repeat_median:>8.2%}{row.repeat_p95:>7.2%}"
            for row in by_space.values()
        )
        print(f"{name:<28}" + "".join(cells))
    figures = {
        name: {space: {key: getattr(row, key) for key in Row.__slots__} for space, row in by_space.items()}
        for name, by_space in rows.items()
    }
    print(json.dumps({"lab": "refit", "parts": figures}))


@lru_cache(maxsize=1)
def _windows(space: str) -> tuple[Windows, dict[str, RelativeLatency]]:
    """Return the windows of a space and what all of them say of each network; once a process."""
    windows = load(space)
    return windows, relative_latencies(windows.results, windows.anchor_id)


def _prediction(
    table: LatencyTable, part: Part, item_id: str, cover: Architecture, measured: RelativeLatency
) -> Prediction:
    predicted = table.predict(cover)
    units, level = predicted.latency_us / table.anchor_us, table.anchor_us
    if predicted.high_us is None:
        raise ValueError(f"table {table.snapshot} does not tell its errors")
    half = math.hypot((predicted.high_us - predicted.latency_us) / level, measured.high - measured.ratio)
    if part.is_sum:
        units = _sum_us(table, cover) / level
    error = units / measured.ratio - 1
    assert table.verdict is not None
    return Prediction(
        item_id,
        error,
        table.network_sigma,
        abs(units - measured.ratio) <= half,
        table.verdict.repeat_median,
        table.verdict.repeat_p95,
    )


def _sum_us(table: LatencyTable, network: Architecture) -> float:
    """Return what a search takes a network for, microseconds."""
    candidates = network.space.candidates
    row_L = zip(table.latency_us_LK(), network.blocks, strict=True)
    return table.fixed_us + sum(row_K[candidates.index(block)] for row_K, block in row_L)


def _mean_by_cover(predictions: Sequence[Prediction]) -> dict[str, float]:
    """Return the mean absolute error of each cover over the splits that leave it out."""
    errors: dict[str, list[float]] = defaultdict(list)
    for one in predictions:
        errors[one.item_id].append(abs(one.error))
    return {item_id: fmean(each) for item_id, each in errors.items()}


def _parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.refit", description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--space", action="append", choices=recorded_spaces(), help="again for more; default: all"
    )
    parser.add_argument("--part", action="append", choices=list(PARTS), help="again for more; default: all")
    return parser.parse_args()


if __name__ == "__main__":
    main()
