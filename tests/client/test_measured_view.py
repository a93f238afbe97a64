"""Measured networks: a run of several images is not taken for one image."""

from dataclasses import replace

from rich.console import Console

from search_server.client.measured_view import measured_document, measured_grid
from search_server.resources.latencies import MeasuredLatency, Prediction

RUN_OF_8 = MeasuredLatency("k3_e1", 8000.0, 8050.0, 7900.0, 8100.0, 100, "2026-11-28T06:00:00+00:00")


def test_a_batch_says_what_a_run_and_an_image_take() -> None:
    console = Console(width=160, color_system=None)
    with console.capture() as capture:
        console.print(measured_grid([("k3_e1", RUN_OF_8)], batch=8))
    head, _, row = (line for line in capture.get().splitlines() if line.strip())
    assert "measured ms a run of 8 images" in head
    assert row.split()[1:3] == ["8.000", "1.000"]
    document = measured_document("k3_e1", RUN_OF_8, batch=8)
    assert (document["latency_ms"], document["batch"], document["latency_ms_per_image"]) == (8.0, 8, 1.0)


def test_predicted_and_measured_stand_side_by_side_in_80_columns() -> None:
    outside = replace(RUN_OF_8, prediction=Prediction("k3_e1", 7333.0, 7200.0, 7500.0, "0f"))
    inside = replace(RUN_OF_8, prediction=Prediction("k3_e1", 8008.0, 7900.0, 8100.0, "0f"))
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(measured_grid([("k3_e1", outside), ("fbnet-b", inside)]))
    lines = [line.rstrip() for line in capture.get().splitlines() if line.strip()]
    first, second, remark = lines[-3:]
    assert " ".join(first.split()) == "k3_e1 8.000 7.900 .. 8.100 7.333 7.200 .. 7.500 +9.1 % !"
    assert second.endswith("-0.1 %")
    assert remark == "! lies outside the interval that was predicted"
