"""``python -m lab.figures``: the figures of the book, drawn from what is recorded in this folder."""

import json
import math
from collections import defaultdict
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import numpy as np

from lab.drawing import BLUE, GREY, INK, ORANGE, Chart, page
from lab.parts import FULL
from lab.recorded import Windows, load, recorded_spaces
from lab.refit import Prediction, judge_split
from search_server.latency.estimate.relative import ratios_to_anchor

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SEARCH = Path(__file__).parent / "search-digits.json"
"""The recorded steps of one search of ``make demo``, and what was asked."""
SPACE = "fbnet-224"
PERCENT = 100.0


def figures() -> dict[str, str]:
    """Return each figure by its name."""
    windows = load(SPACE)
    search = json.loads(SEARCH.read_text(encoding="utf-8"))
    return {
        "turns.svg": page([turns(windows)]),
        "ratios.svg": page(ratios(windows)),
        "held-out.svg": page([held_out(space) for space in recorded_spaces()]),
        "search-steps.svg": page(search_steps(search)),
    }


def turns(windows: Windows) -> Chart:
    """Draw who ran when in the first 400 ms of a window's rounds."""
    until_ms = 400.0
    results = [each for each in windows.results_of(windows.leases[:1]) if each.runs.start_us]
    runs = sorted(
        (start_us / 1000, wall_us / 1000, each.item_id)
        for each in results
        for start_us, wall_us in zip(each.runs.start_us, each.runs.wall_us, strict=True)
    )
    shown = [run for run in runs if run[0] + run[1] < until_ms]
    longest_ms = max(wall_ms for _, wall_ms, _ in shown)
    chart = Chart(
        f"One window of {SPACE}: timed runs, the anchor (grey) right before each network",
        "ms since the rounds began; between the bars models run untimed until they are warm",
        "ms of a run",
        (0, until_ms),
        (0, 1.15 * longest_ms),
        range(0, int(until_ms) + 1, 100),
        _ticks(1.15 * longest_ms),
    )
    for start_ms, wall_ms, item_id in shown:
        chart.bar(start_ms, wall_ms, 0, wall_ms, GREY if item_id == windows.anchor_id else BLUE)
    return chart


def ratios(windows: Windows) -> list[Chart]:
    """Draw what each window says of networks that are in several: as timed, and in units of the anchor."""
    anchors = {each.lease_id: each for each in windows.results if each.item_id == windows.anchor_id}
    raw: dict[str, list[float]] = defaultdict(list)
    units: dict[str, list[float]] = defaultdict(list)
    for each in windows.results:
        if each.item_id in windows.families and each.status == "ok":
            block = windows.families[each.item_id].blocks[0]
            raw[block].append(float(np.median(each.runs.wall_us)))
            anchor = anchors[each.lease_id]
            units[block].append(float(np.median(ratios_to_anchor(each.runs, anchor.runs))))
    return [
        _window_medians("As timed", raw),
        _window_medians("In units of the anchor", units),
    ]


def _window_medians(title: str, by_network: dict[str, list[float]]) -> Chart:
    off = {
        name: [PERCENT * (value / fmean(values) - 1) for value in values]
        for name, values in by_network.items()
    }
    scatter = pstdev([value for values in off.values() for value in values])
    chart = Chart(
        f"{title}: the medians of windows scatter by {scatter:.1f} %",
        f"networks of one candidate in {SPACE}: a column each, a dot for each window",
        "% off their mean",
        (0, len(off)),
        (-8, 8),
        (),
        (-5, 0, 5),
        height=180,
    )
    chart.line([(0, 0), (len(off), 0)], INK)
    chart.points(
        [(place + 0.5, each) for place, values in enumerate(off.values()) for each in values], radius=3
    )
    return chart


def held_out(space: str) -> Chart:
    """Draw how tables of four windows predict networks that only the other two measured."""
    leases = load(space).leases
    left_out = [leases[index : index + 2] for index in range(0, len(leases), 2)]
    judged: list[Prediction] = []
    for pair in left_out:
        judged += judge_split(space, [lease for lease in leases if lease not in pair], [FULL])[FULL]
    errors = sorted(PERCENT * one.error for one in judged)
    within = fmean(abs(error) <= 5 for error in errors)
    chart = Chart(
        f"{space}: mean error {fmean(map(abs, errors)):.1f} %, within 5 %: {PERCENT * within:.0f} % "
        f"of {len(errors)} networks",
        "networks that the table had not seen, by their error",
        "predicted - measured, %",
        (0, len(errors)),
        (-8, 8),
        range(0, len(errors) + 1, 9),
        (-5, 0, 5),
        height=180,
    )
    for limit in (-5, 5):
        chart.line([(0, limit), (len(errors), limit)], ORANGE, "4 3")
    chart.line([(0, 0), (len(errors), 0)], INK)
    places = [(index + 0.5, max(-8.0, min(8.0, error))) for index, error in enumerate(errors)]
    chart.points(places, radius=2.4)
    return chart


def search_steps(search: dict[str, Any]) -> list[Chart]:
    """Draw how theta becomes decided, and what the supernet has learnt meanwhile."""
    curves, target_us = search["curves"], 1000 * search["target_ms"]
    epochs, most = curves["epoch"], math.log(search["num_candidates"])
    furthest = max(abs(latency_us / target_us - 1) for latency_us in curves["expected_latency_us"])
    entropy = Chart(
        f"Mean entropy of a layer of theta; E[LAT] stays within {PERCENT * furthest:.2g} % of the target",
        "epoch",
        "share of log K",
        (0, len(epochs)),
        (0, 1.05),
        range(0, len(epochs), 2),
        (0, 0.5, 1),
        height=180,
    )
    accuracy = Chart(
        "Accuracy of networks drawn evenly from the space, with the supernet's weights",
        "epoch",
        "%",
        (0, len(epochs)),
        (0, 105),
        range(0, len(epochs), 2),
        (0, 50, 100),
        height=180,
    )
    ends = [epoch + 1 for epoch in epochs]
    entropy.line([(end, value / most) for end, value in zip(ends, curves["entropy"], strict=True)], BLUE)
    accuracy.line(
        [(end, PERCENT * value) for end, value in zip(ends, curves["accuracy"], strict=True)], BLUE
    )
    return [entropy, accuracy]


def _ticks(high: float) -> list[float]:
    """Return three to six round values from 0 to another."""
    rough = high / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [round(number * step, 6) for number in range(math.floor(high / step) + 1)]


def main() -> None:
    """Write the figures."""
    for name, text in figures().items():
        (IMAGES / name).write_text(text, encoding="utf-8")
        print(IMAGES / name)


if __name__ == "__main__":
    main()
