"""``edgenas model gate``: an exit status that tells whether a new model is slower than an old one."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from search_server.client.commands import (
    EXIT_FAILED,
    EXIT_USAGE,
    AcceptNoiseOption,
    DeviceOption,
    JsonOption,
    PrivateOption,
    command,
    err,
    print_facts,
    print_json,
)
from search_server.client.errors import SearchClientError
from search_server.client.job_progress import follow
from search_server.client.model_parts import read_model
from search_server.client.model_view import fitting, read_input
from search_server.client.search_client import SearchClient
from search_server.client.short_ids import whole_id
from search_server.client.show import milliseconds
from search_server.resources.gates import Gate, GateCreate, GateOutcome, GateVerdict
from search_server.resources.models import Model
from shared.protocol.device import Conditions

EXIT_STATUS: dict[GateOutcome, int] = {"passed": 0, "slower": EXIT_FAILED, "undecided": EXIT_USAGE}

ModelOrFile = Annotated[str, typer.Argument(metavar="NEW", help="An .onnx or .tflite file, or a model.")]


def add_command(app: typer.Typer) -> None:
    """Add the command to ``edgenas model``."""
    command(app, "gate")(gate)


def gate(
    new: ModelOrFile,
    against: Annotated[str, typer.Option("--against", metavar="OLD", help="The same: a file or a model.")],
    device: DeviceOption,
    client: SearchClient,
    conditions: Conditions,
    fail_above: Annotated[
        str, typer.Option("--fail-above", metavar="2%", help="How much slower NEW may be.")
    ] = "2%",
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="NAME=1x3x224x224", help="Shape of an input with open sizes."),
    ] = None,
    accept_noise: AcceptNoiseOption = False,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write a report in Markdown.", show_default=False),
    ] = None,
    private: PrivateOption = False,
    json: JsonOption = False,
) -> None:
    """Tell by the exit status whether a new model is slower than an old one on a device.

    Both take turns in up to 18 short windows, until it is clear with 95 % confidence on which side of
    the limit the ratio lies. Exit status: 0 not slower than allowed, 1 slower, 2 it could not be decided,
    or the call was wrong.

    Example: edgenas model gate new.onnx --against old.onnx -d pixel --fail-above 2% --report gate.md
    """
    limit = read_share(fail_above)
    shapes = tuple(map(read_input, inputs or ()))
    try:
        models = [_model(client, each) for each in (new, against)]
        create = GateCreate(
            device,
            models[0].model_id,
            models[1].model_id,
            limit,
            fitting(conditions, models[0]),
            shapes,
            private=private,
            accept_noise=accept_noise,
        )
        done = follow(client.start_gate(create), client.gate_events, client.cancel_gate)
    except SearchClientError as error:
        err.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(EXIT_USAGE) from None
    verdict = done.verdict
    assert verdict is not None, "a gate that is done has a verdict"
    if report is not None:
        report.write_text(report_text(done, verdict), encoding="utf-8")
    if json:
        print_json(done)
    else:
        print_facts(dict(_rows(done, verdict)))
    raise typer.Exit(EXIT_STATUS[verdict.outcome])


def read_share(text: str) -> float:
    """Return 0.02 for ``2%`` and for ``0.02``.

    Raises:
        ValueError: it is no share.
    """
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 10:
        raise ValueError(f"--fail-above must be a share such as 2% or 0.02, got {text!r}")
    return share


def report_text(gate: Gate, verdict: GateVerdict) -> str:
    """Return the report in Markdown."""
    rows = "\n".join(f"| {name} | {value} |" for name, value in _rows(gate, verdict))
    windows = ", ".join(f"{_percent(ratio)}" for ratio in verdict.window_ratios)
    return (
        f"# {_SENTENCES[verdict.outcome].format(new=gate.new, limit=f'{100 * gate.fail_above:g} %')}\n\n"
        f"| | |\n|---|---|\n{rows}\n\nEach window by itself: {windows}.\n"
    )


_SENTENCES: dict[GateOutcome, str] = {
    "passed": "{new} is not slower than allowed ({limit})",
    "slower": "{new} is slower than allowed ({limit})",
    "undecided": "Whether {new} is slower than allowed ({limit}) could not be decided",
}


def _rows(gate: Gate, verdict: GateVerdict) -> list[tuple[str, str]]:
    return [
        ("new", gate.new),
        ("old", gate.old),
        ("device", gate.job.device_name),
        ("conditions", str(gate.job.conditions)),
        ("verdict", verdict.outcome),
        ("limit", f"{100 * gate.fail_above:+g} %"),
        (
            "new over old",
            f"{_percent(verdict.ratio)}; with 95 % confidence above {_percent(verdict.low)} "
            f"and below {_percent(verdict.high)}",
        ),
        ("as timed", f"new {milliseconds(verdict.new_us)} ms, old {milliseconds(verdict.old_us)} ms"),
        ("windows", str(len(verdict.window_ratios))),
        ("job", gate.job.job_id),
        *([("note", verdict.note)] if verdict.note else []),
    ]


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+z.2f} %"


def _model(client: SearchClient, file_or_name: str) -> Model:
    """Return a model by name, or that of a file; its hash is in its name, since a build names all alike."""
    path = Path(file_or_name)
    if not path.is_file():
        return client.model(whole_id(client, file_or_name, "model"))
    _, create = read_model(path, None)
    return client.upload_model(path, f"{path.stem}-{create.sha256[:8]}")
