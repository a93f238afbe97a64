"""A search in words: what was asked, its epochs, what it found against the baselines."""

from rich.table import Table as Grid

from search_server.client.commands import out
from search_server.client.show import count, facts, grid, milliseconds, share
from search_server.resources.searches import Search, SearchStep


def step_line(step: SearchStep, num_epochs: int, target_us: float | None) -> str:
    """Return one epoch on one line: E[LAT] against the target, entropy, accuracy, speed."""
    target = "" if target_us is None else f" of {milliseconds(target_us)}"
    return (
        f"epoch {step.epoch + 1:3}/{num_epochs} {step.phase:6}  "
        f"E\\[LAT] {milliseconds(step.expected_latency_us)}{target} ms  "
        f"entropy {step.entropy:.2f}  accuracy {share(step.accuracy):>6}  "
        f"loss {step.weight_loss:.3f}  {step.images_per_s:,.0f} img/s"
    )


def print_search(search: Search) -> None:
    """Print a search on stdout."""
    job, request = search.job, search.request
    target = "none" if request.target_ms is None else f"{request.target_ms:g} ms"
    stage = f", {search.stage}" if search.stage and job.status == "running" else ""
    status = f"{job.status}, {100 * job.progress:.0f} %{stage}"
    out.print(
        facts(
            {
                "search": job.job_id,
                "status": f"{status}{f': {job.message}' if job.message else ''}",
                "device": f"{job.device_name}, {job.conditions}",
                "space": job.space,
                "data": request.data,
                "target": f"{target}, loss {request.loss}, paths {request.paths}",
                "table": search.snapshot or "not chosen yet",
                "found": str(search.result.architecture) if search.result else "nothing yet",
            }
        )
    )
    if search.architectures:
        out.print(_comparison(search))


def _comparison(search: Search) -> Grid:
    table = grid(
        "network",
        ">MACs",
        ">params",
        ">predicted ms",
        ">measured ms",
        ">validation",
        ">test",
        title="Compared",
    )
    target_ms, result = search.request.target_ms, search.result
    for network in search.architectures:
        is_result = (
            result is not None and network.role == "found" and network.architecture == result.architecture
        )
        latency_us = network.measured_us or network.predicted_us
        too_slow = network.role == "found" and target_ms is not None and latency_us > target_ms * 1000
        mark, is_measured = " !" if too_slow else "", network.measured_us is not None
        table.add_row(
            "● found" if is_result else f"  {'sampled' if network.role == 'found' else network.role}",
            count(network.macs),
            count(network.params),
            milliseconds(network.predicted_us) + ("" if is_measured else mark),
            milliseconds(network.measured_us) + (mark if is_measured else ""),
            share(network.validation_accuracy),
            share(network.test_accuracy),
            style="bold" if is_result else "",
        )
    if target_ms is not None:
        table.caption = f"target {target_ms:g} ms; ! is above it; sampled: drawn from theta, not chosen"
        table.caption_justify = "left"
    return table
