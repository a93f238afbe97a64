"""Trainings and tryouts of networks as tasks: each may run in a process of its own, on whatever host."""

from dataclasses import dataclass
from io import BytesIO

import torch

from search_server.engines.engine import Tell
from search_server.nas.choosing.finalist import finalist_network
from search_server.nas.choosing.tryout import tryout_loss
from search_server.nas.data.batches import evaluation_batches, training_batches
from search_server.nas.network_weights import load_network, network_bytes
from search_server.nas.supernet.accelerator import choose_accelerator
from search_server.nas.teacher import Teacher
from search_server.nas.train import TrainConfig, evaluate, train
from search_server.resources.found_networks import ROLE_WORDS, Role
from search_server.resources.searches import SearchCreate
from search_server.searches.search_inputs import DataChoice
from shared.architecture import parse_architecture
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


def train_network(task: NetworkTask, tell: Tell) -> Trained:
    """Train a network as was asked, unless it is trained, and evaluate it."""
    accelerator, request = task.begin(), task.request
    data, is_mixed = task.data.load(), request.mixed_precision
    workload = parse_architecture(task.architecture, search_space(task.space)).workload()
    if task.trained is not None:
        module = load_network(workload, BytesIO(task.trained)).to(accelerator)
    else:
        inherited = None if task.inherited is None else torch.load(BytesIO(task.inherited))
        module = finalist_network(workload, inherited, data, request.seed, accelerator, is_mixed)
        batches = training_batches(data.training, request.batch_size, seed=request.seed)
        how = "training" if inherited is None else "fine-tuning"
        if task.teacher is not None:
            task.teacher.network.to(accelerator)
        for facts in train(module, batches, _settings(request), task.teacher):
            epoch = facts.epoch + 1
            words = f"{how} the {ROLE_WORDS[task.role]} network: epoch {epoch} of {request.train_epochs}"
            tell(epoch / request.train_epochs, words)
    return Trained(
        network_bytes(module),
        validation_accuracy=evaluate(module, evaluation_batches(data.validation), is_mixed),
        test_accuracy=evaluate(module, evaluation_batches(data.test), is_mixed),
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
