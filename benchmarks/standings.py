"""Accuracies over seeds with 95 % intervals (Student's t), and a table of them to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student
from scipy.stats import ttest_ind

from benchmarks.trials import Network


@dataclass(frozen=True, slots=True)
class Standing:
    """What a contestant reached: one network, or, where found, one for each seed."""

    name: str
    networks: tuple[Network, ...]
    latency_ms: tuple[float, ...]
    """Measured; of each seed's network."""
    target_ms: float
    accuracies: tuple[float, ...]
    """On the test images, 0..1, by seed."""
    training_s: float
    """Processor time of one training."""

    @property
    def is_found(self) -> bool:
        return self.name.startswith("found")

    @property
    def mean(self) -> float:
        return float(np.mean(self.accuracies))

    def as_figures(self) -> dict[str, Any]:
        """Return latency and accuracy of each seed."""
        return {
            "name": self.name,
            "blocks": [network.blocks for network in self.networks],
            "spaces": sorted({network.space for network in self.networks}),
            "latency_ms": self.latency_ms,
            "of_target": [latency / self.target_ms - 1 for latency in self.latency_ms],
            "accuracy": self.accuracies,
        }


def mean_with_interval(values: Sequence[float]) -> dict[str, float]:
    """Return the mean and half the width of its 95 % interval (NaN for a single value)."""
    half = float("nan")
    if len(values) > 1:
        error = float(np.std(values, ddof=1)) / len(values) ** 0.5
        half = float(student.ppf(0.975, len(values) - 1)) * error
    return {"mean": float(np.mean(values)), "plus_minus": half}


def difference(first: Sequence[float], second: Sequence[float]) -> dict[str, float | None]:
    """Return the difference of two means with its 95 % interval, by Welch's test of unequal variances.

    A single value has no interval: None, since JSON knows no NaN.
    """
    mean = float(np.mean(first) - np.mean(second))
    if min(len(first), len(second)) < 2:
        return {"mean": mean, "low": None, "high": None}
    interval = ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    return {"mean": mean, "low": float(interval.low), "high": float(interval.high)}


def print_standings(standings: Sequence[Standing], costs: dict[str, float]) -> None:
    """Print a row a contestant, the most accurate first."""
    table = Table(box=None, header_style="bold")
    table.add_column("network")
    for heading in ("measured ms", "of target", "accuracy", "95 %", "search, in trainings"):
        table.add_column(heading, justify="right")
    for standing in sorted(standings, key=lambda each: -each.mean):
        latency_ms = float(np.mean(standing.latency_ms))
        half = mean_with_interval(standing.accuracies)["plus_minus"]
        cost = costs.get(standing.name.removeprefix("found: "))
        table.add_row(
            standing.name,
            f"{latency_ms:.4f}",
            f"{latency_ms / standing.target_ms - 1:+.1%}",
            f"{standing.mean:.2%}",
            "" if np.isnan(half) else f"± {half:.2%}",
            "" if cost is None else f"{cost:.2f}",
            style="bold" if standing.is_found else "",
        )
    Console(width=110).print(table)
