"""Measured networks: a run of several images is not taken for one image."""

from rich.console import Console

from search_server.client.measured_view import measured_document, measured_grid
from search_server.resources.latencies import MeasuredLatency

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
