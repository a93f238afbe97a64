"""Measured networks beside what their table predicted, for people and for programs."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table as Grid

from search_server.client.grid import grid
from search_server.client.show import in_ms, interval, milliseconds
from search_server.resources.latencies import MeasuredLatency


def measured_grid(measured: Sequence[tuple[str, MeasuredLatency]], batch: int = 1) -> Grid:
    """Return one network a line: measured, predicted, and how far apart they are.

    A run computes ``batch`` images; where these are several, the latency of one image has a column too.
    """
    table = grid(
        "network",
        ">measured ms" if batch == 1 else f">measured ms a run of {batch} images",
        *([">ms an image"] if batch > 1 else []),
        ">90 % interval",
        ">predicted ms",
        ">90 % interval",
        ">difference",
    )
    for name, latency in measured:
        predicted = latency.prediction
        table.add_row(
            name,
            milliseconds(latency.latency_us),
            *([milliseconds(latency.latency_us / batch)] if batch > 1 else []),
            interval(latency.low_us, latency.high_us),
            milliseconds(predicted.latency_us) if predicted else "-",
            interval(predicted.low_us, predicted.high_us) if predicted else "-",
            "-" if latency.difference is None else f"{100 * latency.difference:+z.1f} %{_mark(latency)}",
        )
    table.caption = "\n".join(_remarks(measured)) or None
    table.caption_justify = "left"
    return table


def measured_document(name: str, latency: MeasuredLatency, batch: int = 1) -> dict[str, Any]:
    """Return what ``--json`` prints of a network; ``latency_ms`` is that of a run of ``batch`` images."""
    predicted = latency.prediction
    return {
        "name": name,
        "architecture": latency.architecture,
        "latency_ms": latency.latency_us / 1000,
        "batch": batch,
        "latency_ms_per_image": latency.latency_us / 1000 / batch,
        "low_ms": in_ms(latency.low_us),
        "high_ms": in_ms(latency.high_us),
        "raw_latency_ms": latency.raw_latency_us / 1000,
        "num_samples": latency.num_samples,
        "cpu_ms": None if latency.cpu_us is None else latency.cpu_us / 1000,
        "switches_per_run": latency.switches_per_run,
        "faults_per_run": latency.faults_per_run,
        "measured_at": latency.measured_at,
        "status": latency.status,
        "is_simulated": latency.is_simulated,
        "predicted_ms": predicted.latency_us / 1000 if predicted else None,
        "predicted_low_ms": in_ms(predicted.low_us) if predicted else None,
        "predicted_high_ms": in_ms(predicted.high_us) if predicted else None,
        "difference": latency.difference,
        "is_inside": latency.is_inside,
        "snapshot": predicted.snapshot if predicted else None,
        "noise": latency.noise,
    }


def _mark(latency: MeasuredLatency) -> str:
    return " !" if latency.is_inside is False else ""


def _remarks(measured: Sequence[tuple[str, MeasuredLatency]]) -> list[str]:
    """Return what a person should know beyond the figures: of all networks, or of which."""
    holders: dict[str, list[str]] = {}
    for name, latency in measured:
        words = {
            "! lies outside the interval that was predicted": latency.is_inside is False,
            latency.status: latency.status != "ok",
            "measured with noise accepted": bool(latency.noise),
            "simulated: nothing was measured": latency.is_simulated,
        }
        for word in (word for word, is_so in words.items() if is_so):
            holders.setdefault(word, []).append(name)
    return [
        word if len(names) == len(measured) or word.startswith("!") else f"{', '.join(names)}: {word}"
        for word, names in holders.items()
    ]
