"""``edgenas search front`` and ``retarget``: other networks of a finished search."""

from typing import Annotated

import typer

from search_server.client.commands import (
    JsonOption,
    NameOption,
    PrivateOption,
    command,
    err,
    out,
    print_json,
)
from search_server.client.search_client import SearchClient
from search_server.client.search_commands import JobArgument, watch
from search_server.resources.fronts import AfterTraining, FrontCreate, RetargetCreate
from search_server.resources.searches import Search

TrainOption = Annotated[
    AfterTraining,
    typer.Option("--train", help="Train what is decoded: from scratch, or from the supernet's weights."),
]
EpochsOption = Annotated[
    int | None, typer.Option("--train-epochs", metavar="N", help="Of that training; default: the search's.")
]
FollowOption = Annotated[bool, typer.Option("--watch", "--wait", help="Follow it to its end.")]


def add_commands(app: typer.Typer) -> None:
    """Add both to the searches."""
    command(app, "front")(front)
    command(app, "retarget")(retarget)


def front(
    job: JobArgument,
    client: SearchClient,
    device: Annotated[
        list[str] | None,
        typer.Option("--device", "-d", metavar="D", help="Name or id, once or more; default: all devices."),
    ] = None,
    points: Annotated[int, typer.Option(metavar="N", help="Targets on each device, 2 to 12.")] = 8,
    train: TrainOption = "none",
    train_epochs: EpochsOption = None,
    name: NameOption = "",
    private: PrivateOption = False,
    follow: FollowOption = False,
    json: JsonOption = False,
) -> None:
    """Decode a network for each of several targets, on each device that has a table of the space.

    What the search has learnt of each candidate block is decoded under the tables of these devices, also of
    tables measured after it. The networks are measured, all on all devices, and kept as a search of their
    own; prints its id.

    Example: edgenas search front JOB -d pixel -d raspi4 --points 8 --watch
    """
    create = FrontCreate(tuple(device or ()), points, train, train_epochs, name, private)
    _tell(client, client.front(job, create), follow, json)


def retarget(
    job: JobArgument,
    client: SearchClient,
    target_ms: Annotated[
        float, typer.Option("--target-ms", metavar="MS", help="Latency that the network may take.")
    ],
    device: Annotated[
        str | None,
        typer.Option("--device", "-d", metavar="D", help="Name or id; default: that of the search."),
    ] = None,
    train: TrainOption = "none",
    train_epochs: EpochsOption = None,
    name: NameOption = "",
    private: PrivateOption = False,
    follow: FollowOption = False,
    json: JsonOption = False,
) -> None:
    """Decode one network of a finished search for another target, or for another device.

    It is measured, and trained and exported where --train says so. Prints the id of the search that it is
    kept as.

    Example: edgenas search retarget JOB -d raspi4 --target-ms 12 --train scratch --watch
    """
    create = RetargetCreate(target_ms, device, None, train, train_epochs, name, private)
    _tell(client, client.retarget(job, create), follow, json)


def _tell(client: SearchClient, search: Search, follow: bool, json: bool) -> None:
    if follow:
        err.print(f"search {search.job.job_id}", markup=False)
        watch(client, search, json)
    elif json:
        print_json(search)
    else:
        out.print(search.job.job_id, markup=False)
        err.print(f"follow it with: edgenas search watch {search.job.job_id}", markup=False)
