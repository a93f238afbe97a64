"""``edgenas model measure``: a model on a device, or on several at once."""

from collections.abc import Sequence
from typing import Annotated

import typer

from search_server.client.commands import (
    AcceptNoiseOption,
    DevicesOption,
    JsonOption,
    PrivateOption,
    TagOption,
    command,
    err,
    out,
    print_facts,
    print_json,
)
from search_server.client.fleet import Outcome, chosen_devices
from search_server.client.fleet_view import follow_on_each, require_all
from search_server.client.job_progress import Follow, follow
from search_server.client.model_view import (
    fitting,
    latency_facts,
    measurement_document,
    nodes_grid,
    operators_grid,
    read_input,
    slowest,
)
from search_server.client.search_client import SearchClient
from search_server.client.short_ids import ShortId
from search_server.resources.models import ModelMeasurement, ModelMeasurementCreate
from shared.protocol.device import Conditions

ModelArgument = Annotated[
    str, typer.Argument(metavar="M", help="Name or id of a model, or a part of its id."), ShortId("model")
]
TopOption = Annotated[int, typer.Option("--top", metavar="N", help="So many of the slowest nodes.")]


def add_command(app: typer.Typer) -> None:
    """Add the command to ``edgenas model``."""
    command(app, "measure")(measure_model)


def measure_model(
    model: ModelArgument,
    client: SearchClient,
    conditions: Conditions,
    devices: DevicesOption = None,
    tag: TagOption = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="NAME=1x3x224x224", help="Shape of an input with open sizes."),
    ] = None,
    top: TopOption = 10,
    accept_noise: AcceptNoiseOption = False,
    private: PrivateOption = False,
    json: JsonOption = False,
) -> None:
    """Measure a model on devices: the whole against an anchor network, and the time of each node.

    A file is measured as it is: a quantised one as int8, a .tflite file with LiteRT. Sizes that the file
    leaves open become 1, the first one --batch, unless --input says otherwise. Several devices measure at
    once and have one view of their progress; the exit status is 1 if it failed on one of them.

    Example: edgenas model measure mobilenet -d pixel -d raspi --threads 1 --input images=1x3x224x224
    """
    found, names = client.model(model), chosen_devices(client, devices or (), tag)
    fit, shapes = fitting(conditions, found), tuple(map(read_input, inputs or ()))

    def measured_on(device: str, watch: Follow) -> ModelMeasurement:
        create = ModelMeasurementCreate(device, fit, shapes, private, accept_noise)
        return watch(
            client.start_model_measurement(found.model_id, create),
            lambda job_id: client.model_measurement_events(found.model_id, job_id),
            lambda job_id: client.cancel_model_measurement(found.model_id, job_id),
        )

    if len(names) > 1 or tag is not None:
        _show_all(follow_on_each(names, measured_on), found.name, top, json)
        return
    last = measured_on(names[0], follow)
    if json:
        print_json([measurement_document(last)])
    else:
        print_latency(last, top)


def print_latency(measured: ModelMeasurement, num_nodes: int) -> None:
    """Print what a measurement says of the whole, of its operators and of its slowest nodes."""
    latency = measured.latency
    if latency is None:
        print_facts({"job": measured.job.job_id, "status": measured.job.status})
        return
    print_facts(latency_facts(measured, latency))
    if latency.nodes:
        out.print(operators_grid(latency))
        out.print(nodes_grid(slowest(latency, num_nodes)))
        if len(latency.nodes) > num_nodes:
            err.print(f"the slowest {num_nodes} of {len(latency.nodes)} nodes; --top shows more")


def _show_all(outcomes: Sequence[Outcome[ModelMeasurement]], model: str, top: int, json: bool) -> None:
    """Print what each device gave; ends with status 1 if it failed on one."""
    if json:
        print_json(
            [
                measurement_document(each.value)
                if each.value
                else {"model": model, "device": each.device, "error": each.error}
                for each in outcomes
            ]
        )
    for each in () if json else outcomes:
        if each.value is not None:
            print_latency(each.value, top)
        else:
            err.print(f"{each.device}: {each.error}", markup=False, soft_wrap=True)
    require_all(outcomes)
