"""A search in words: what was asked, its epochs, what it found against the baselines."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table as Grid

from search_server.client.commands import out, print_facts
from search_server.client.front_view import front_grid
from search_server.client.grid import grid
from search_server.client.show import count, milliseconds, share
from search_server.resources.found_networks import (
    ROLE_WORDS,
    DeviceLatency,
    ExportedFile,
    FoundArchitecture,
    Role,
)
from search_server.resources.jobs import Job
from search_server.resources.searches import ExpectedCost, Search, SearchCreate, SearchStep
from search_server.search_options import MostName, ThetaGradientName


def step_line(step: SearchStep, num_epochs: int) -> str:
    """Return one epoch on one line: where theta stands against its limits, entropy, accuracy, speed."""
    return (
        f"epoch {step.epoch + 1:3}/{num_epochs} {step.phase:6}  {_limits(step)}  "
        f"entropy {step.entropy:.2f}  accuracy {share(step.accuracy):>6}  "
        f"loss {step.weight_loss:.3f}  {step.images_per_s:,.0f} img/s on {step.accelerator}"
    )


def warning_lines(step: SearchStep) -> list[str]:
    """Return what a person should know of an epoch, a line each."""
    return [f"[yellow]warning:[/] {escape(warning)}" for warning in step.warnings]


def _limits(step: SearchStep) -> str:
    costs = [
        f"{'' if len(step.costs) == 1 else f'{escape(cost.name)} '}{_amount(cost, cost.expected)} of "
        f"{_amount(cost, cost.limit)}{_UNITS[cost.unit]}"
        for cost in step.costs
    ]
    return f"E\\[LAT] {', '.join(costs) or f'{milliseconds(step.expected_latency_us)} ms'}"


_UNITS = {"us": " ms", "MACs": "", "parameters": "", "of the targets": ""}


def _amount(cost: ExpectedCost, value: float) -> str:
    if cost.unit == "us":
        return milliseconds(value)
    return f"{value:.3f}" if cost.unit == "of the targets" else f"{value / 1e6:.2f} M"


def print_search(search: Search) -> None:
    """Print a search on stdout."""
    is_front = search.request.points is not None
    print_facts(_front_facts(search) if is_front else _search_facts(search))
    if is_front:
        out.print(front_grid(search))
    elif search.architectures:
        out.print(_comparison(search))
    if search.result is not None and search.result.files:
        out.print(files_grid(search.result.files))


def _search_facts(search: Search) -> dict[str, str]:
    job, request = search.job, search.request
    target = "none" if request.target_ms is None else f"{request.target_ms:g} ms"
    limits = [f"{other.device} {other.target_ms:g} ms" for other in request.also if other.target_ms]
    limits += [f"{count(request.max_macs)} MACs"] if request.max_macs else []
    limits += [f"{count(request.max_params)} parameters"] if request.max_params else []
    limits += ["their weighted mean only"] if request.combine == "weighted" else []
    return {
        "search": job.job_id,
        **_names(job),
        "status": _status(search),
        "device": f"{job.device_name}, {job.conditions}",
        "space": job.space,
        "data": request.data,
        "target": "; ".join([target, *limits]),
        "setting": _setting(request),
        "training": _training(request),
        "table": search.snapshot or "not chosen yet",
        **_delivered(search),
    }


def _delivered(search: Search) -> dict[str, str]:
    """Return the network that the search found, or what it delivers instead."""
    if search.result is None:
        return {"found": "nothing yet"}
    if search.result == search.found:
        return {"found": search.result.architecture}
    why = "most MACs within the limits, by the table alone; ahead of what was found on the validation split"
    return {"delivered": f"{search.result.architecture} ({why})"}


def _front_facts(search: Search) -> dict[str, str]:
    job, request = search.job, search.request
    return {
        "front": job.job_id,
        **_names(job),
        "status": _status(search),
        "of search": str(request.origin),
        "devices": ", ".join([job.device_name, *(other.device for other in request.also)]),
        "space": job.space,
        "training": _training(request),
    }


def _names(job: Job) -> dict[str, str]:
    return {key: text for key, text in (("name", job.name), ("note", job.note)) if text}


def _status(search: Search) -> str:
    job = search.job
    stage = f", {search.stage}" if search.stage and job.status == "running" else ""
    message = f": {job.message}" if job.message else ""
    return f"{job.status}, {100 * job.progress:.0f} %{stage}{message}"


def theta_words(request: SearchCreate) -> str:
    """Return how theta learns: by effects, which is no gradient, or by which gradient."""
    if request.paths != "one":
        return "gradient through factors"
    words: dict[ThetaGradientName, str] = {
        "effects": "regression effects, no gradient",
        "straight_through": "straight-through gradient",
        "leave_one_out": "score-function gradient, leave-one-out",
    }
    return words[request.theta_gradient]


def kind_words(request: SearchCreate) -> str:
    """Return what kind of search it is, for lists."""
    if request.origin is not None:
        return f"{'retarget' if request.points is None else 'front'} of {request.origin}"
    return "no supernet" if request.paths == "none" else "search"


def _setting(request: SearchCreate) -> str:
    """Return how is searched: the preset, and what may differ from it."""
    of_loss = {
        "fbnet": f" (alpha {request.alpha:g}, beta {request.beta:g}, LAT in {request.latency_unit})",
        "additive": f" (latency_weight {request.latency_weight:g})",
        "budget": "",
    }
    if request.origin is not None:
        return f"decoded from what search {request.origin} has learnt"
    if request.paths == "none":
        return f"paths none: the most {_MOST[request.most]} within the limits, decoded from the table"
    recomputed = ", branches recomputed" if request.recomputes_branches else ""
    passes = "bf16 passes" if request.mixed_precision else "fp32"
    step_images = min(request.step_images, request.batch_size)
    return (
        f"{request.preset}: loss {request.loss}{of_loss[request.loss]}, paths {request.paths}, theta by "
        f"{theta_words(request)}, weights "
        f"{request.weights}, {request.epochs} epochs ({request.warmup_epochs} of warm-up), batches of "
        f"{request.batch_size} in steps of {step_images}, {passes}{recomputed}"
    )


_MOST: dict[MostName, str] = {
    "macs": "multiply-accumulates",
    "params": "parameters",
    "both": "multiply-accumulates and parameters",
}


def _training(request: SearchCreate) -> str:
    if request.train_epochs == 0:
        return "none"
    how = "from scratch" if request.training == "scratch" else "fine-tuned from the supernet's weights"
    return f"{how}, {request.train_epochs} epoch{'' if request.train_epochs == 1 else 's'}"


def _comparison(search: Search) -> Grid:
    measured = "simulated" if search.job.conditions.runtime == "simulated" else "measured"
    table = grid(
        "network",
        ">MACs",
        ">params",
        ">predicted ms",
        f">{measured} ms",
        ">validation",
        ">test",
        *(f">{other.device} ms" for other in search.request.also),
        title="Compared",
    )
    request, result = search.request, search.result
    target_ms = request.target_ms
    for network in search.architectures:
        is_result = result is not None and _key(network) == _key(result)
        latency_us = network.measured_us or network.predicted_us
        too_slow = target_ms is not None and latency_us > target_ms * 1000
        mark = " !" if too_slow and (is_result or network.role == "found") else ""
        is_measured = network.measured_us is not None
        table.add_row(
            f"{'●' if is_result else ' '} {_role_words(network, search)}",
            count(network.macs),
            count(network.params),
            milliseconds(network.predicted_us) + ("" if is_measured else mark),
            milliseconds(network.measured_us) + (mark if is_measured else ""),
            share(network.validation_accuracy),
            share(network.test_accuracy),
            *map(_on_other, network.others),
            style="bold" if is_result else "",
        )
    if target_ms is not None:
        delivered = "" if result == search.found else "● is delivered; "
        others = _SAMPLED[request.paths == "none"]
        table.caption = f"target {target_ms:g} ms; ! is above it; {delivered}{others}"
        table.caption_justify = "left"
    return table


_SAMPLED = {False: "sampled: drawn from theta, not chosen", True: "decoded: before the limit was corrected"}


def _role_words(network: FoundArchitecture, search: Search) -> str:
    is_found = search.found is not None and _key(network) == _key(search.found)
    if network.role != "found" or is_found:
        return ROLE_WORDS[network.role]
    return "decoded" if search.request.paths == "none" else "sampled"


def _key(network: FoundArchitecture) -> tuple[Role, str]:
    return network.role, network.architecture


def files_grid(files: Sequence[ExportedFile]) -> Grid:
    """Return the exported files, one a line, each with its own size, accuracy and latencies."""
    devices = list(dict.fromkeys(latency.device for file in files for latency in file.latencies))
    columns = (
        [f">{device} ms" for device in devices] if len(devices) > 1 else [">measured ms"] * len(devices)
    )
    table = grid(
        "file", ">size", *columns, ">validation", ">test", title="Exported files, each measured as it is"
    )
    for file in files:
        of_device = {latency.device: latency.measured_us for latency in file.latencies}
        table.add_row(
            f"{file.format} {file.dtype}",
            f"{file.size_bytes / 1000:,.0f} kB",
            *(milliseconds(of_device.get(device)) for device in devices),
            share(file.validation_accuracy),
            share(file.test_accuracy),
        )
    return table


def _on_other(latency: DeviceLatency) -> str:
    """Return a network's latency on a further device; ``~`` is predicted, ``!`` above the target."""
    us = latency.measured_us or latency.predicted_us
    sign, mark = "~" if latency.measured_us is None else "", " !" if us > latency.target_us else ""
    return f"{sign}{milliseconds(us)}{mark}"
