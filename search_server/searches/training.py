"""Finalists and baselines trained alike; what is trained is kept in the store."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO

import torch

from search_server.nas.choosing.finalist import finalist_network
from search_server.nas.data.batches import evaluation_batches, training_batches
from search_server.nas.data.images import DataSplits
from search_server.nas.network_weights import load_network, network_bytes
from search_server.nas.supernet.supernet import Supernet
from search_server.nas.teacher import Teacher
from search_server.nas.train import TrainConfig, evaluate, train
from search_server.resources.searches import ROLE_WORDS, FoundArchitecture, SearchCreate
from search_server.searches.recording import record_architecture
from search_server.searches.search_job import SearchJob
from search_server.searches.stages import MEASURED, TRAINED
from search_server.searches.teachers import load_teacher, weights_name
from shared.architecture import Architecture, parse_architecture
from shared.modules import NetworkModule


@dataclass(frozen=True, slots=True)
class Beginning:
    """How all trainings of a search begin."""

    accelerator: torch.device
    heirs_of: Supernet | None = None
    """The supernet whose weights they inherit; None: from scratch."""
    teacher: Teacher | None = None
    """What all of them learn from beside the labels."""


def train_all(
    job: SearchJob, beginning: Beginning, networks: Sequence[FoundArchitecture], data: DataSplits
) -> list[FoundArchitecture]:
    """Train each network, all alike, and record its accuracy."""
    span = (TRAINED - MEASURED) / len(networks)
    teacher = load_teacher(job, data, beginning.accelerator)
    return [
        train_network(
            job, replace(beginning, teacher=teacher), network, data, MEASURED + span * index, span
        )
        for index, network in enumerate(networks)
    ]


def train_network(
    job: SearchJob,
    beginning: Beginning,
    network: FoundArchitecture,
    data: DataSplits,
    progress: float,
    span: float,
) -> FoundArchitecture:
    """Train one network as was asked, from ``progress`` to ``progress + span`` of the whole."""
    request = job.request
    architecture = parse_architecture(network.architecture, job.space)
    name, is_mixed = weights_name(job.job_id, architecture), request.mixed_precision
    if job.store.has(name):
        module = trained_network(job, architecture).to(beginning.accelerator)
    else:
        module = finalist_network(
            architecture, beginning.heirs_of, data, request.seed, beginning.accelerator, is_mixed
        )
        batches = training_batches(data.training, request.batch_size, seed=request.seed)
        how = "fine-tuning" if beginning.heirs_of else "training"
        for facts in train(module, batches, _settings(request), beginning.teacher):
            epoch = facts.epoch + 1
            message = (
                f"{how} the {ROLE_WORDS[network.role]} network: epoch {epoch} of {request.train_epochs}"
            )
            job.tell("train", progress + span * epoch / request.train_epochs, message)
        job.store.write_sealed(name, network_bytes(module))
    trained = replace(
        network,
        validation_accuracy=evaluate(module, evaluation_batches(data.validation), is_mixed),
        test_accuracy=evaluate(module, evaluation_batches(data.test), is_mixed),
    )
    with job.transaction() as session:
        record_architecture(session, job.job_id, trained)
    return trained


def _settings(request: SearchCreate) -> TrainConfig:
    return TrainConfig(
        epochs=request.train_epochs,
        label_smoothing=request.label_smoothing,
        mixup=request.mixup,
        ema_decay=request.ema_decay,
        mixed_precision=request.mixed_precision,
    )


def most_accurate(networks: Sequence[FoundArchitecture]) -> FoundArchitecture:
    """Return the found network with the best accuracy on the validation split."""
    found = [network for network in networks if network.role == "found"]
    return max(found, key=lambda network: network.validation_accuracy or 0.0)


def trained_network(job: SearchJob, architecture: Architecture) -> NetworkModule:
    """Return a network that this search has trained."""
    state = job.store.read_sealed(weights_name(job.job_id, architecture))
    return load_network(architecture.workload(), BytesIO(state))
