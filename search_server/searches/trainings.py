"""Trainings and tryouts of networks as tasks: each may run in a process of its own, on whatever host.

A training may also be computed by several processes together: the same network but for rounding.
"""

from dataclasses import dataclass
from io import BytesIO

import torch

from search_server.engines.engine import Ranks, Tell
from search_server.nas.choosing.finalist import finalist_network
from search_server.nas.choosing.tryout import tryout_loss
from search_server.nas.data.batches import evaluation_batches, paired_part, training_batches
from search_server.nas.data.images import DataSplits
from search_server.nas.network_weights import load_network, network_bytes
from search_server.nas.shards import ONE_SHARD, Shards
from search_server.nas.supernet.accelerator import accelerator_of, choose_accelerator
from search_server.nas.teacher import Teacher
from search_server.nas.torch_file import torch_file
from search_server.nas.train import TrainConfig, TrainEpochFacts, TrainingRun, evaluate
from search_server.resources.found_networks import ROLE_WORDS, Role
from search_server.resources.searches import SearchCreate
from search_server.searches.search_inputs import DataChoice
from shared.architecture import parse_architecture
from shared.modules import NetworkModule
from shared.search_space import search_space


@dataclass(frozen=True, slots=True)
class NetworkTask:
    """A network of a search, and what it is trained on."""

    architecture: str
    role: Role
    space: str
    request: SearchCreate
    data: DataChoice
    accelerator: str
    num_threads: int | None
    """None: as the engine has it."""
    inherited: bytes | None = None
    """The weights with which it begins, as a file of torch; None: fresh ones."""
    trained: bytes | None = None
    """Its weights where it was trained before."""
    teacher: Teacher | None = None
    """What it learns from beside the labels, on the CPU."""

    def begin(self) -> torch.device:
        """Prepare the process, and return what computes."""
        if self.num_threads is not None:
            torch.set_num_threads(self.num_threads)
        return choose_accelerator(self.accelerator)


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training led to."""

    weights: bytes
    """As a file of torch."""
    validation_accuracy: float
    test_accuracy: float


Progress = tuple[float, str]
"""How much of a training is done, 0..1, and what it does now."""


def train_network(task: NetworkTask, tell: Tell) -> Trained:
    """Train a network as was asked, unless it is trained, and evaluate it."""
    accelerator, data = task.begin(), task.data.load()
    if task.trained is not None:
        workload = parse_architecture(task.architecture, search_space(task.space)).workload()
        return _evaluated(task, load_network(workload, BytesIO(task.trained)).to(accelerator), data)
    network = _begun(task, data, accelerator)
    for facts in _training(task, network, data, ONE_SHARD):
        tell(*_progress(task, facts))
    return _evaluated(task, network, data)


def train_together(ranks: Ranks, task: NetworkTask) -> None:
    """Train a network on several processes together, from the latest checkpoint on.

    Rank 0 reports the :data:`Progress` of each epoch, and at last what it led to: :class:`Trained`.
    """
    accelerator, data = task.begin(), task.data.load()
    network = _begun(task, data, accelerator)
    run = _training(task, network, data, Shards(ranks.world_size, ranks.rank, ranks.world_size))
    checkpoint = ranks.latest_checkpoint()
    if checkpoint is not None:
        run.load_state(torch.load(BytesIO(checkpoint), weights_only=True))
    for facts in run:
        if ranks.rank == 0:
            ranks.report(_progress(task, facts), torch_file(run.state()))
    if ranks.rank == 0:
        ranks.report(_evaluated(task, network, data), torch_file(run.state()))


def _begun(task: NetworkTask, data: DataSplits, accelerator: torch.device) -> NetworkModule:
    """Return the network of a task before its training."""
    workload = parse_architecture(task.architecture, search_space(task.space)).workload()
    inherited = None if task.inherited is None else torch.load(BytesIO(task.inherited))
    request = task.request
    return finalist_network(workload, inherited, data, request.seed, accelerator, request.mixed_precision)


def _training(task: NetworkTask, network: NetworkModule, data: DataSplits, shards: Shards) -> TrainingRun:
    """Return a training before its first epoch, as one of its processes has it."""
    size, seed = task.request.batch_size, task.request.seed
    if shards.number == 1:
        batches = training_batches(data.training, size, seed)
    else:
        batches = paired_part(data.training, size, seed, shards.rank, shards.number)
    if task.teacher is not None:
        task.teacher.network.to(accelerator_of(network))
    return TrainingRun(network, batches, _settings(task.request), task.teacher, shards)


def _progress(task: NetworkTask, facts: TrainEpochFacts) -> Progress:
    num_done, num_epochs = facts.epoch + 1, task.request.train_epochs
    how = "training" if task.inherited is None else "fine-tuning"
    words = f"{how} the {ROLE_WORDS[task.role]} network: epoch {num_done} of {num_epochs}"
    return num_done / num_epochs, words


def _evaluated(task: NetworkTask, network: NetworkModule, data: DataSplits) -> Trained:
    is_mixed = task.request.mixed_precision
    return Trained(
        network_bytes(network),
        validation_accuracy=evaluate(network, evaluation_batches(data.validation), is_mixed),
        test_accuracy=evaluate(network, evaluation_batches(data.test), is_mixed),
    )


def _settings(request: SearchCreate) -> TrainConfig:
    return TrainConfig(
        epochs=request.train_epochs,
        label_smoothing=request.label_smoothing,
        mixup=request.mixup,
        ema_decay=request.ema_decay,
        mixed_precision=request.mixed_precision,
    )


def try_out(task: NetworkTask, tell: Tell) -> float:
    """Return the cross entropy of a network after a short training, nats."""
    accelerator, request = task.begin(), task.request
    tell(0.0, "trying out network")
    network = parse_architecture(task.architecture, search_space(task.space))
    return tryout_loss(
        network, task.data.load(), request.batch_size, request.seed, accelerator, request.mixed_precision
    )
