"""Finalists and baselines trained alike, several at the same time; what is trained is kept in the store."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO

from search_server.nas.data.batches import num_pairs
from search_server.nas.data.images import DataSplits
from search_server.nas.network_weights import load_network
from search_server.nas.supernet.accelerator import CPU
from search_server.nas.supernet.supernet import Supernet
from search_server.nas.torch_file import torch_file
from search_server.resources.found_networks import FoundArchitecture, Role
from search_server.searches.recording import record_architecture
from search_server.searches.search_inputs import data_choice
from search_server.searches.search_job import SearchJob
from search_server.searches.stages import MEASURED, SEARCHED, TRAINED
from search_server.searches.teachers import load_teacher, weights_name
from search_server.searches.trainings import (
    NetworkTask,
    Progress,
    Trained,
    train_network,
    train_together,
    try_out,
)
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
    outcomes: dict[int, Trained] = {}

    def on_told(index: int, share: float, words: str) -> None:
        shares[index] = share
        progress = MEASURED + (TRAINED - MEASURED) * sum(shares.values()) / len(shares)
        job.tell("train", progress, words)

    def on_done(index: int, trained: Trained) -> None:
        shares[index], outcomes[index] = 1.0, trained
        if tasks[index].trained is None:
            job.store.write_sealed(_weights_name(job, tasks[index]), trained.weights)
        with job.transaction() as session:
            record_architecture(session, job.job_id, _described(networks[index], trained))

    num_ranks = min(job.engine.num_processes, num_pairs(data.training, job.request.batch_size))
    left = [index for index, task in enumerate(tasks) if task.trained is None]
    together = left[len(left) - num_joined(len(left), job.engine.num_processes) :] if num_ranks > 1 else []
    apart = [index for index in range(len(tasks)) if index not in together]
    if apart:
        job.engine.spread(
            train_network,
            [tasks[index] for index in apart],
            lambda place, share, words: on_told(apart[place], share, words),
            lambda place, trained: on_done(apart[place], trained),
            job.go_on,
        )
    for index in together:
        _train_together(job, tasks[index], num_ranks, partial(on_told, index), partial(on_done, index))
    return [_described(network, outcomes[index]) for index, network in enumerate(networks)]


def num_joined(num_networks: int, num_processes: int) -> int:
    """Return how many of some networks are each trained by all processes together, the others apart.

    Apart they are trained as long as each process has one. Where the rest would leave half of the processes
    or more without one, it is trained together, one network after the other.
    """
    rest = num_networks % num_processes
    return rest if 2 * rest <= num_processes else 0


def _train_together(
    job: SearchJob,
    task: NetworkTask,
    num_processes: int,
    on_told: Callable[[float, str], None],
    on_done: Callable[[Trained], None],
) -> None:
    """Train a network by several processes; a checkpoint an epoch lies in the store until it is trained."""
    name = f"{_weights_name(job, task)}.begun"

    def on_report(facts: Progress | Trained, checkpoint: bytes) -> None:
        if isinstance(facts, Trained):
            on_done(facts)
            return
        job.store.write_sealed(name, checkpoint)
        on_told(*facts)

    begun = job.store.read_sealed(name) if job.store.has(name) else None
    job.engine.run_together(train_together, task, num_processes, begun, on_report, job.go_on)
    job.store.remove(name)


def tried_out(job: SearchJob, networks: Sequence[Architecture]) -> list[float]:
    """Return the cross entropy of each network after a short training, nats."""
    tasks = [_task(job, str(network), "found") for network in networks]

    def on_told(index: int, _share: float, words: str) -> None:
        job.tell("sample", SEARCHED, f"{words} {index + 1} of {len(tasks)}")

    return job.engine.spread(try_out, tasks, on_told, lambda _index, _loss: None, job.go_on)


def _weights_name(job: SearchJob, task: NetworkTask) -> str:
    return weights_name(job.job_id, parse_architecture(task.architecture, job.space))


def _training(job: SearchJob, network: FoundArchitecture, heirs_of: Supernet | None) -> NetworkTask:
    task = _task(job, network.architecture, network.role)
    name = _weights_name(job, task)
    if job.store.has(name):
        return replace(task, trained=job.store.read_sealed(name))
    if heirs_of is None:
        return task
    architecture = parse_architecture(network.architecture, job.space)
    return replace(task, inherited=torch_file(dict(heirs_of.extract_weights(architecture))))


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


def trained_network(job: SearchJob, architecture: Architecture) -> NetworkModule:
    """Return a network that this search has trained."""
    state = job.store.read_sealed(weights_name(job.job_id, architecture))
    return load_network(architecture.workload(), BytesIO(state))
