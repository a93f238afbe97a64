"""``edgenas profile``, ``predict`` and ``measure``: from a device to milliseconds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.markup import escape

from search_server.client.check_commands import check_if_old
from search_server.client.commands import (
    AcceptNoiseOption,
    DeviceOption,
    DevicesOption,
    JsonOption,
    NameOption,
    PrivateOption,
    SpaceOption,
    TagOption,
    command,
    err,
    out,
    print_facts,
    print_json,
)
from search_server.client.fleet import chosen_devices
from search_server.client.fleet_summaries import show_measurements, show_profiles
from search_server.client.fleet_view import follow_on_each
from search_server.client.grid import grid
from search_server.client.job_progress import Follow, JobFailedError, follow, require_done
from search_server.client.measured_view import measured_document, measured_grid
from search_server.client.search_client import SearchClient
from search_server.client.short_ids import ShortId
from search_server.client.show import in_ms, interval, milliseconds
from search_server.client.table_view import verdict_text
from search_server.resources.checks import Drift
from search_server.resources.latencies import (
    Measurement,
    MeasurementCreate,
    Prediction,
    PredictionCreate,
)
from search_server.resources.tables import Profile, ProfileCreate
from shared.architecture import parse_architecture
from shared.protocol.device import Conditions
from shared.space_file import read_space

ArchitecturesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="A...", help="Known names, or blocks separated by commas, or one block for all."
    ),
]


def add_commands(app: typer.Typer) -> None:
    """Add the three commands to the root command."""
    command(app, "profile")(profile)
    command(app, "predict")(predict)
    command(app, "measure")(measure)


def profile(
    space: SpaceOption,
    client: SearchClient,
    conditions: Conditions,
    device: DevicesOption = None,
    tag: TagOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Measure even where a valid table exists.")
    ] = False,
    accept_noise: AcceptNoiseOption = False,
    private: PrivateOption = False,
    job_name: NameOption = "",
    json: JsonOption = False,
) -> None:
    """Measure what the latency table of a space lacks on a device, or on several at once.

    Several devices have one view of their progress and a summary at the end; the exit status is 1 if it
    failed on one of them.

    Example: edgenas profile -d pixel -s fbnet-96-035 --runtime onnxruntime --threads 1

    Example: edgenas profile --tag kitchen -s fbnet-96-035
    """
    name, devices = read_space(space).name, chosen_devices(client, device or (), tag)

    def profiled(device: str, watch: Follow) -> tuple[Profile, Drift | None]:
        create = ProfileCreate(device, name, conditions, force, accept_noise, private, job_name)
        last, drift = _profiled(client, create, watch)
        require_done(last.job)
        return last, drift

    if len(devices) > 1 or tag is not None:
        show_profiles(follow_on_each(devices, profiled), json)
        return
    create = ProfileCreate(devices[0], name, conditions, force, accept_noise, private, job_name)
    last, drift = _profiled(client, create, follow)
    if json:
        print_json(last)
    elif last.snapshot:
        _print_profile(last, drift)
    require_done(last.job)


def predict(
    device: DeviceOption,
    space: SpaceOption,
    architectures: ArchitecturesArgument,
    client: SearchClient,
    conditions: Conditions | None,
    snapshot: Annotated[
        str | None,
        typer.Option(help="Table to predict from; left out: the newest accepted one."),
        ShortId("table"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Predict the latency of whole networks, with a 90 % interval, from a latency table.

    Example: edgenas predict -d pixel -s fbnet-224 fbnet-a fbnet-b k3_e6
    """
    names = _names_by_blocks(space, architectures)
    predictions = client.predict(
        PredictionCreate(device, read_space(space).name, tuple(architectures), conditions, snapshot)
    )
    if json:
        print_json([_predicted(names[one.architecture], one) for one in predictions])
        return
    batch = max((prediction.batch for prediction in predictions), default=1)
    run = ">predicted ms" if batch == 1 else f">predicted ms a run of {batch} images"
    image = [">ms an image"] if batch > 1 else []
    table = grid("architecture", run, *image, ">90 % interval", "snapshot", "")
    for prediction in predictions:
        table.add_row(
            names[prediction.architecture],
            milliseconds(prediction.latency_us),
            *([milliseconds(prediction.latency_us / batch)] if image else []),
            interval(prediction.low_us, prediction.high_us),
            prediction.snapshot,
            "simulated" if prediction.is_simulated else "",
        )
    out.print(table)


def measure(
    space: SpaceOption,
    architectures: ArchitecturesArgument,
    client: SearchClient,
    conditions: Conditions,
    accept_noise: AcceptNoiseOption = False,
    private: PrivateOption = False,
    device: DevicesOption = None,
    tag: TagOption = None,
    job_name: NameOption = "",
    json: JsonOption = False,
) -> None:
    """Measure whole networks on a device, or on several at once, each against the anchor of its space.

    Several devices have one view of their progress and a table of milliseconds at the end; the exit status
    is 1 if it failed on one of them.

    Example: edgenas measure -d pixel -s fbnet-224 fbnet-a fbnet-b

    Example: edgenas measure -d pixel -d raspi4 -s fbnet-224 fbnet-a
    """
    names = _names_by_blocks(space, architectures)
    space_name, devices = read_space(space).name, chosen_devices(client, device or (), tag)

    def measured_on(device: str, watch: Follow) -> Measurement:
        create = MeasurementCreate(
            device,
            space_name,
            tuple(architectures),
            conditions,
            accept_noise=accept_noise,
            private=private,
            name=job_name,
        )
        started = client.start_measurement(create)
        return watch(started, client.measurement_events, client.cancel_measurement)

    if len(devices) > 1 or tag is not None:

        def whole(device: str, watch: Follow) -> Measurement:
            last = measured_on(device, watch)
            require_done(last.job)
            if len(last.latencies) < len(names):
                raise JobFailedError(f"some networks have no latency: {last.job.message}")
            return last

        show_measurements(follow_on_each(devices, whole), names, json)
        return
    last = measured_on(devices[0], follow)
    measured = [(names[latency.architecture], latency) for latency in last.latencies]
    if json:
        print_json([measured_document(*pair, conditions.batch) for pair in measured])
    elif measured:
        out.print(measured_grid(measured, conditions.batch))
    require_done(last.job)
    if len(measured) < len(names):
        raise JobFailedError(f"some networks have no latency: {last.job.message}")


def _profiled(client: SearchClient, create: ProfileCreate, watch: Follow) -> tuple[Profile, Drift | None]:
    """Profile a device; a table that is there is checked if it is old, and measured again if stale."""

    def profile() -> Profile:
        return watch(client.start_profile(create), client.profile_events, client.cancel_profile)

    last, drift = profile(), None
    if last.is_reused and last.snapshot:
        drift = check_if_old(client, last.snapshot, watch, create.private)
    if drift is not None and drift.outcome == "stale":
        err.print(f"table {drift.snapshot} is stale, {drift}: measuring it again", soft_wrap=True)
        last, drift = profile(), None
    if drift is not None and drift.rescaled_to:
        last = replace(last, snapshot=drift.rescaled_to)
    return last, drift


def _names_by_blocks(space: str, architectures: Sequence[str]) -> dict[str, str]:
    """Return what the caller called each network; finds wrong names before the server is asked."""
    return {str(parse_architecture(text, read_space(space))): text for text in architectures}


def _print_profile(profile: Profile, drift: Drift | None) -> None:
    what = "already there, nothing measured" if profile.is_reused else f"{profile.num_entries} entries"
    if drift is not None:
        what = f"already there, checked: {drift}"
        if drift.rescaled_to:
            what += f"; rescaled from {drift.snapshot}"
    print_facts(
        {
            "table": profile.snapshot or "none",
            "device": profile.job.device_name,
            "space": profile.job.space,
            "conditions": str(profile.job.conditions),
            "result": what,
            "device time": f"{profile.device_time_s:.1f} s",
            "verdict": verdict_text(profile.verdict),
        }
    )
    if profile.snapshot:
        err.print(f"see it with: edgenas tables show {escape(profile.snapshot)}")


def _predicted(name: str, prediction: Prediction) -> dict[str, Any]:
    return {
        "name": name,
        "architecture": prediction.architecture,
        "latency_ms": prediction.latency_us / 1000,
        "batch": prediction.batch,
        "latency_ms_per_image": prediction.latency_us / 1000 / prediction.batch,
        "low_ms": in_ms(prediction.low_us),
        "high_ms": in_ms(prediction.high_us),
        "snapshot": prediction.snapshot,
        "is_simulated": prediction.is_simulated,
    }
