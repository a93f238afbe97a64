"""Finalists and baselines trained alike, several at the same time; what is trained is kept in the store."""

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO

import torch

from search_server.nas.data.images import DataSplits
from search_server.nas.network_weights import load_network
from search_server.nas.supernet.accelerator import CPU
from search_server.nas.supernet.supernet import Supernet
from search_server.resources.found_networks import FoundArchitecture, Role
from search_server.searches.recording import record_architecture
from search_server.searches.search_inputs import data_choice
from search_server.searches.search_job import SearchJob
from search_server.searches.stages import MEASURED, SEARCHED, TRAINED
from search_server.searches.teachers import load_teacher, weights_name
from search_server.searches.trainings import NetworkTask, Trained, train_network, try_out
from shared.architecture import Architecture, parse_architecture
from shared.modules import NetworkModule


def train_all(
    job: SearchJob,
    networks: Sequence[FoundArchitecture],
    data: DataSplits,
    heirs_of: Supernet | None = None,
) -> list[FoundArchitecture]:
    """Train each network, all alike, and record its accuracy.

    Args:
        job: the search.
        networks: what is trained.
        data: on which a teacher has to know the classes; each process loads it by itself.
        heirs_of: the supernet whose weights they inherit; None: from scratch.
    """
    teacher = load_teacher(job, data, CPU)
    tasks = [replace(_training(job, network, heirs_of), teacher=teacher) for network in networks]
    shares = dict.fromkeys(range(len(tasks)), 0.0)

    def on_told(index: int, share: float, words: str) -> None:
        shares[index] = share
        progress = MEASURED + (TRAINED - MEASURED) * sum(shares.values()) / len(shares)
        job.tell("train", progress, words)

    def on_done(index: int, trained: Trained) -> None:
        shares[index] = 1.0
        if tasks[index].trained is None:
            architecture = parse_architecture(networks[index].architecture, job.space)
            job.store.write_sealed(weights_name(job.job_id, architecture), trained.weights)
        with job.transaction() as session:
            record_architecture(session, job.job_id, _described(networks[index], trained))

    trained = job.engine.spread(train_network, tasks, on_told, on_done, job.go_on)
    return [_described(network, each) for network, each in zip(networks, trained, strict=True)]


def tried_out(job: SearchJob, networks: Sequence[Architecture]) -> list[float]:
    """Return the cross entropy of each network after a short training, nats."""
    tasks = [_task(job, str(network), "found") for network in networks]

    def on_told(index: int, _share: float, words: str) -> None:
        job.tell("sample", SEARCHED, f"{words} {index + 1} of {len(tasks)}")

    return job.engine.spread(try_out, tasks, on_told, lambda _index, _loss: None, job.go_on)


def _training(job: SearchJob, network: FoundArchitecture, heirs_of: Supernet | None) -> NetworkTask:
    task = _task(job, network.architecture, network.role)
    architecture = parse_architecture(network.architecture, job.space)
    name = weights_name(job.job_id, architecture)
    if job.store.has(name):
        return replace(task, trained=job.store.read_sealed(name))
    if heirs_of is None:
        return task
    file = BytesIO()
    torch.save({key: value.cpu() for key, value in heirs_of.extract_weights(architecture).items()}, file)
    return replace(task, inherited=file.getvalue())


def _task(job: SearchJob, architecture: str, role: Role) -> NetworkTask:
    return NetworkTask(
        architecture,
        role,
        job.space.name,
        job.request,
        data_choice(job),
        job.accelerator,
        job.num_threads(),
    )


def _described(network: FoundArchitecture, trained: Trained) -> FoundArchitecture:
    return replace(
        network, validation_accuracy=trained.validation_accuracy, test_accuracy=trained.test_accuracy
    )


def most_accurate(networks: Sequence[FoundArchitecture]) -> FoundArchitecture:
    """Return the found network with the best accuracy on the validation split."""
    found = [network for network in networks if network.role == "found"]
    return max(found, key=lambda network: network.validation_accuracy or 0.0)


def trained_network(job: SearchJob, architecture: Architecture) -> NetworkModule:
    """Return a network that this search has trained."""
    state = job.store.read_sealed(weights_name(job.job_id, architecture))
    return load_network(architecture.workload(), BytesIO(state))
