"""Small jobs for engines: functions that other processes find by their name."""

import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn

from search_server.engines.engine import Ranks, Tell
from search_server.nas.budget.search_caps import DeviceTable
from search_server.nas.data.batches import paired_part
from search_server.nas.joined import JoinedBatchNorm
from search_server.nas.shards import Shards
from search_server.nas.teacher import Teacher
from search_server.nas.train import TrainConfig, TrainingRun
from search_server.searches.search_inputs import DataChoice
from search_server.searches.shared_search import SearchTask, search_together
from search_server.searches.trainings import NetworkTask, train_together
from shared.architecture import parse_architecture, uniform_architecture
from shared.modules import network_module
from shared.search_space import search_space
from tests.flow.shelf import FEW, SPACE, request
from tests.search_server.tables import known_table

GENTLE_LR = 0.003


def search_task(num_shards: int, **changes: object) -> SearchTask:
    """A search of two classes of digits, with four steps of the weights an epoch."""
    create = request(**{**FEW, "epochs": 4, "batch_size": 64, **changes})
    table = known_table("", SPACE.name)
    return SearchTask(
        SPACE.name,
        [DeviceTable("shelf", table, create.target_ms)],
        create,
        DataChoice("digits", search_space(SPACE.name).resolution, create.seed, 2, (), None, None),
        "cpu",
        num_shards,
        num_threads=1,
    )


@dataclass(frozen=True)
class Fatal:
    """A search one of whose processes dies once, as soon as there is a checkpoint."""

    search: SearchTask
    mark: Path
    """Is made when the process dies; where it is there, none dies."""


def search_that_loses_a_process(ranks: Ranks, task: Fatal) -> None:
    if ranks.rank == 1 and not task.mark.exists():
        threading.Thread(target=_die, args=(ranks, task.mark), daemon=True).start()
    search_together(ranks, task.search)


def _die(ranks: Ranks, mark: Path) -> None:
    while ranks.latest_checkpoint() is None:
        time.sleep(0.05)
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)


def training_task(**changes: object) -> NetworkTask:
    """A training on two classes of digits with all that can be asked for: 15 pairs of images a step."""
    asked = {"train_epochs": 3, "batch_size": 30, "mixup": 0.2, "ema_decay": 0.9}
    create = request(**{**FEW, **asked, **changes})
    space = search_space(SPACE.name)
    teaching = network_module(
        uniform_architecture(space, "k5_e1").workload(), torch.Generator().manual_seed(7)
    )
    return NetworkTask(
        str(uniform_architecture(space, "k3_e3")),
        "found",
        SPACE.name,
        create,
        DataChoice("digits", space.resolution, create.seed, 2, (), None, None),
        "cpu",
        num_threads=1,
        teacher=Teacher(teaching.eval().requires_grad_(False), 0.3),
    )


def exact_training(ranks: Ranks, task: NetworkTask) -> None:
    """Train in double precision at a small rate; report epochs and the network."""
    task.begin()
    images = task.data.load().training
    workload = parse_architecture(task.architecture, search_space(task.space)).workload()
    network = in_double(network_module(workload, torch.Generator().manual_seed(5)))
    assert task.teacher is not None
    in_double(task.teacher.network)
    batches = paired_part(images, task.request.batch_size, 4, ranks.rank, ranks.world_size)
    config = TrainConfig(epochs=2, lr=GENTLE_LR, mixup=0.2, ema_decay=0.9)
    shards = Shards(ranks.world_size, ranks.rank, ranks.world_size)
    facts = list(TrainingRun(network, batches, config, task.teacher, shards))
    if ranks.rank == 0:
        ranks.report((facts, network.state_dict()), b"")


def in_double(network: nn.Module) -> nn.Module:
    """Have a network compute in double precision, whatever its images are in."""
    network.register_forward_pre_hook(lambda _, images: images[0].double())
    return network.double()


@dataclass(frozen=True)
class FatalTraining:
    """A training whose rank 0 dies once, right after its first report."""

    training: NetworkTask
    mark: Path
    """Is made when the process dies; where it is there, none dies."""


@dataclass(frozen=True)
class DyingRanks:
    """The ranks of a :class:`FatalTraining`."""

    ranks: Ranks
    mark: Path

    @property
    def rank(self) -> int:
        return self.ranks.rank

    @property
    def world_size(self) -> int:
        return self.ranks.world_size

    def report(self, facts: Any, checkpoint: bytes) -> None:
        self.ranks.report(facts, checkpoint)
        if not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def latest_checkpoint(self) -> bytes | None:
        return self.ranks.latest_checkpoint()


def training_that_loses_a_process(ranks: Ranks, task: FatalTraining) -> None:
    train_together(DyingRanks(ranks, task.mark), task.training)


Tensors = dict[str, torch.Tensor]


def normed(norm: nn.BatchNorm2d, x_NCHW: torch.Tensor, pulled_NCHW: torch.Tensor) -> Tensors:
    """Return what a batch norm makes of images, its statistics, and gradients of a sum over pulled ones."""
    x_NCHW = x_NCHW.clone().requires_grad_()
    y_NCHW = norm(x_NCHW)
    torch.autograd.backward((y_NCHW.sin() * pulled_NCHW).sum())
    assert x_NCHW.grad is not None
    grads = {f"gradient of {name}": value.grad for name, value in norm.named_parameters()}
    return {
        "y": y_NCHW.detach(),
        "gradient of x": x_NCHW.grad,
        **{name: grad for name, grad in grads.items() if grad is not None},
        **dict(norm.named_buffers()),
    }


def norm_part(ranks: Ranks, given: tuple[Tensors, list[slice]]) -> None:
    """Norm a part of some images, and report what all ranks have found."""
    inputs, parts = given
    norm = JoinedBatchNorm.like(norm_of(inputs))
    own = parts[ranks.rank]
    found: list[Any] = [None] * ranks.world_size
    distributed.all_gather_object(found, normed(norm, inputs["x"][own], inputs["pulled"][own]))
    if ranks.rank == 0:
        ranks.report(found, b"")


def norm_of(inputs: Tensors) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(len(inputs["weight"]), dtype=inputs["weight"].dtype)
    norm.load_state_dict({name: inputs[name] for name in ("weight", "bias")}, strict=False)
    return norm


def refuse(ranks: Ranks, task: str) -> None:
    """Rank 1 refuses the task, rank 0 waits for it."""
    if ranks.rank == 1:
        raise ValueError(f"nobody can do {task}")
    time.sleep(600)


def square(number: int, tell: Tell) -> int:
    tell(0.5, f"squaring {number}")
    if number < 0:
        raise ValueError(f"{number} is below 0")
    return number * number


def die_once(mark: Path, _: Tell) -> str:
    """Die the first time."""
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return mark.name


def wait_long(folder: Path, tell: Tell) -> None:
    """Leave the process's id, and stay."""
    (folder / str(os.getpid())).touch()
    tell(0.0, "waiting")
    time.sleep(600)


class Book:
    """What came home from a job."""

    def __init__(self) -> None:
        self.facts: list[Any] = []
        self.checkpoints: list[bytes] = []

    def on_report(self, facts: Any, checkpoint: bytes) -> None:
        self.facts.append(facts)
        self.checkpoints.append(checkpoint)


def tell_nobody(_share: float, _words: str) -> None:
    """Take what a task tells."""


def go_on() -> None:
    """Never end a job."""
