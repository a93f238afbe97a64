"""The teacher of a search's trainings: the network of an earlier search, or a listed function's."""

import hashlib
import importlib
import json
from io import BytesIO

import torch
from torch import nn

from search_server.db.models import JobRow
from search_server.nas.data.images import DataSplits
from search_server.nas.network_weights import load_network
from search_server.nas.teacher import Teacher
from search_server.searches.named_teachers import is_function, require_listed, taught_network
from search_server.searches.search_job import SearchJob
from search_server.searches.searches import description_name, job_folder
from search_server.searches.stages import MEASURED
from shared.architecture import Architecture, parse_architecture
from shared.search_space import search_space


def load_teacher(job: SearchJob, data: DataSplits, accelerator: torch.device) -> Teacher | None:
    """Return what a search's networks learn from, None if it names no teacher.

    Raises:
        ValueError: the teacher cannot be loaded, or does not know these classes.
    """
    request = job.request
    if request.teacher is None:
        return None
    job.tell("train", MEASURED, f"loading the teacher {request.teacher}")
    if is_function(request.teacher):
        network = _made_by_function(job, request.teacher)
    else:
        network = _found_by_search(job, request.teacher, tuple(data.test.class_names))
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    teacher = Teacher(network.to(accelerator).eval(), request.teacher_weight)
    teacher.require_classes(job.space.resolution, job.space.num_classes)
    return teacher


def weights_name(job_id: str, architecture: Architecture) -> str:
    """Return what the trained weights of a network of a search are called in the store."""
    blocks = hashlib.sha256(str(architecture).encode()).hexdigest()[:16]
    return f"{job_folder(job_id)}/{blocks}.pt"


def _made_by_function(job: SearchJob, name: str) -> nn.Module:
    require_listed(name, job.teachers)
    module, _, function = name.partition(":")
    try:
        network = getattr(importlib.import_module(module), function)()
    except Exception as error:  # it is somebody else's code
        raise ValueError(f"teacher {name!r} cannot be made: {type(error).__name__}: {error}") from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"teacher {name!r} returned {type(network).__name__}, not a torch module")
    return network


def _found_by_search(job: SearchJob, job_id: str, class_names: tuple[str, ...]) -> nn.Module:
    with job.transaction() as session:
        row = session.get(JobRow, job_id)
        if row is None:
            raise ValueError(f"search {job_id}, the teacher, is no longer there")
        space, found = search_space(str(row.space)), taught_network(row)
    architecture = parse_architecture(found.architecture, space)
    try:
        known = json.loads(job.store.read(description_name(job_id)))
        weights = job.store.read_sealed(weights_name(job_id, architecture))
    except FileNotFoundError as error:
        raise ValueError(f"the network of search {job_id}, the teacher, is no longer kept") from error
    network = load_network(architecture.workload(), BytesIO(weights))
    taught = tuple(known["description"]["class_names"])
    if taught != class_names:
        raise ValueError(
            f"search {job_id} was trained on the classes {', '.join(taught)}, not on "
            f"{', '.join(class_names)}; name a teacher of the same classes"
        )
    return network
