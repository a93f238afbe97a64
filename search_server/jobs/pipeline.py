"""One search from its latency table to its exported network: the whole flow, a line a stage.

The only file where torch and the database meet. Everything that took long is kept in the job's folder,
so a search that is stopped or killed goes on from there:

    search.pt      the search after its last epoch
    <key>.pt       a trained network, by the latency key of its workload
    network.onnx   the found network; network.pt its weights, network.json what is known of it
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from search_server.context import utc_now
from search_server.jobs.recording import finish_search, record_architecture, record_step
from search_server.jobs.search_job import SearchJob, StoppedError, Transaction, open_search_job
from search_server.jobs.verification import measure_networks
from search_server.nas.batches import evaluation_batches, training_batches
from search_server.nas.checkpoint import load_checkpoint, save_checkpoint
from search_server.nas.config import SearchConfig
from search_server.nas.data import load_data
from search_server.nas.export import load_network, numpy_weights, save_network
from search_server.nas.images import DataSplits
from search_server.nas.sample import decided_architecture, rank, sample_architectures
from search_server.nas.search import SearchRun, search
from search_server.nas.train import TrainConfig, evaluate, train
from search_server.profiling.artifacts import onnx_bytes
from search_server.resources.searches import FoundArchitecture, Role, SearchStep
from shared.architecture import (
    Architecture,
    parse_architecture,
    random_architecture,
    uniform_architecture,
)
from shared.modules import network_module
from shared.wire import to_json

NUM_FINALISTS = 2
"""Networks that are trained from scratch; the better one on the validation split is the found one."""
MAX_SHORTLISTS = 3
"""How often networks are sampled anew because the device was slower than predicted."""
SHORTLIST_SPAN = 0.05
"""A shortlist holds networks from so much below the limit up to the limit."""
NEAR = 0.03
"""Relative distance at which a random baseline counts as equally fast."""

# Where each stage ends, as a share of the whole.
SEARCHED, MEASURED, TRAINED = 0.5, 0.6, 0.98


def run_search_job(
    job_id: str, transaction: Transaction, data_dir: Path, should_stop: Callable[[], bool]
) -> None:
    """Run a search to its end, or until it is asked to stop; call it again to go on.

    Args:
        job_id: a claimed search.
        transaction: opens a session that commits at its end.
        data_dir: the server's data folder.
        should_stop: asked between steps.

    Raises:
        ValueError: the data or the table does not suit the search; the message says what would.
    """
    job = open_search_job(job_id, transaction, data_dir, should_stop)
    try:
        data = load_data(job.request.data, job.space.resolution, job.request.seed)
        data.require_fit(job.space.num_classes, job.space.name)
        run = search_supernet(job, data)
        finalists = measured_finalists(job, run, data)
        baselines = measured_baselines(job, finalists[0])
        trained = train_all(job, [*finalists, *baselines], data)
        found = most_accurate(trained)
        export(job, found)
    except StoppedError:
        return
    with transaction() as session:
        finish_search(session, job_id, found, utc_now(), outcome(job, found))


def search_supernet(job: SearchJob, data: DataSplits) -> SearchRun:
    """Train weights and theta of the supernet; a checkpoint and a recorded step an epoch."""
    request = job.request
    config = SearchConfig(
        paths=request.paths,
        loss=request.loss,
        target_us=job.target_us,
        epochs=request.epochs,
        warmup_epochs=request.warmup_epochs,
        seed=request.seed,
    )
    weight_batches, theta_batches = (
        training_batches(part, request.batch_size, seed=2 * request.seed + index)
        for index, part in enumerate((data.weights, data.theta))
    )
    run = search(job.space, job.table, weight_batches, theta_batches, config)
    checkpoint = job.folder / "search.pt"
    if checkpoint.exists():
        load_checkpoint(run, checkpoint)
    job.tell("search", SEARCHED * run.epoch / request.epochs, "searching")
    for facts in run:
        save_checkpoint(run, checkpoint)
        step = {name: value for name, value in asdict(facts).items() if name != "warnings"}
        with job.transaction() as session:
            record_step(session, job.job_id, SearchStep(**step))
        message = "; ".join(facts.warnings) or f"searching: epoch {run.epoch} of {request.epochs}"
        job.tell("search", SEARCHED * run.epoch / request.epochs, message)
    return run


def measured_finalists(job: SearchJob, run: SearchRun, data: DataSplits) -> list[FoundArchitecture]:
    """Sample networks within the target, measure them, and return the best of those that hold it.

    The best are those with the highest accuracy under inherited weights. Where the device turns out to
    be slower than predicted, networks are sampled anew below a limit corrected by what was measured.
    """
    limit_us = job.target_us
    for _ in range(MAX_SHORTLISTS):
        shortlist = sample_shortlist(job, run, data, limit_us)
        networks: list[tuple[Role, Architecture]] = [("found", network) for network in shortlist]
        measured = measure_networks(job, networks, SEARCHED)
        if job.target_us is None or limit_us is None:
            return measured[:NUM_FINALISTS]
        within = [network for network in measured if known_us(network) <= job.target_us]
        if within:
            return within[:NUM_FINALISTS]
        fastest = min(measured, key=known_us)
        limit_us *= job.target_us / known_us(fastest)
    return [fastest]


def sample_shortlist(
    job: SearchJob, run: SearchRun, data: DataSplits, limit_us: float | None
) -> list[Architecture]:
    """Return distinct networks predicted within a limit, the most accurate first."""
    job.tell("sample", SEARCHED, "ranking networks drawn from theta")
    high_us = job.predict_us(run.architecture()) if limit_us is None else limit_us
    low_us = (1 - SHORTLIST_SPAN) * high_us
    decided = decided_architecture(run.supernet, job.table, high_us, low_us)
    drawn = sample_architectures(
        run.supernet,
        job.predict_us,
        job.request.num_samples,
        torch.Generator().manual_seed(job.request.seed),
        low_us=low_us,
        high_us=high_us,
    )
    candidates = {network.blocks: network for network in (decided, *drawn)}
    ranked = rank(
        run.supernet,
        candidates.values(),
        job.predict_us,
        evaluation_batches(data.weights),
        evaluation_batches(data.validation),
    )
    return [each.architecture for each in ranked[: job.request.num_samples]]


def measured_baselines(job: SearchJob, found: FoundArchitecture) -> list[FoundArchitecture]:
    """Return the uniform network nearest to the target, and a random one beside it, measured."""
    if not job.request.compare_baselines:
        return []
    reference_us = job.target_us or found.predicted_us

    def distance(architecture: Architecture) -> float:
        return abs(job.predict_us(architecture) / reference_us - 1)

    uniform = min((uniform_architecture(job.space, b) for b in job.space.candidates), key=distance)
    networks: list[tuple[Role, Architecture]] = [("uniform", uniform)]
    generator = random.Random(job.request.seed)
    drawn = (random_architecture(job.space, generator) for _ in range(20_000))
    near = next((network for network in drawn if distance(network) <= NEAR), None)
    if near is not None:
        networks.append(("random", near))
    return measure_networks(job, networks, SEARCHED + (MEASURED - SEARCHED) / 2)


def train_all(
    job: SearchJob, networks: Sequence[FoundArchitecture], data: DataSplits
) -> list[FoundArchitecture]:
    """Train each network from scratch, all alike, and record its accuracy."""
    span = (TRAINED - MEASURED) / len(networks)
    return [
        train_network(job, network, data, MEASURED + span * index, span)
        for index, network in enumerate(networks)
    ]


def train_network(
    job: SearchJob, network: FoundArchitecture, data: DataSplits, progress: float, span: float
) -> FoundArchitecture:
    """Train one network from scratch, from ``progress`` to ``progress + span`` of the whole."""
    request = job.request
    architecture = parse_architecture(network.architecture, job.space)
    path = weights_path(job, architecture)
    if path.exists():
        module = load_network(architecture.workload(), path)
    else:
        module = network_module(architecture.workload(), torch.Generator().manual_seed(request.seed))
        batches = training_batches(data.training, request.batch_size, seed=request.seed)
        for facts in train(module, batches, TrainConfig(epochs=request.train_epochs)):
            epoch = facts.epoch + 1
            message = f"training the {network.role} network: epoch {epoch} of {request.train_epochs}"
            job.tell("train", progress + span * epoch / request.train_epochs, message)
        save_network(module, path)
    trained = replace(
        network,
        validation_accuracy=evaluate(module, evaluation_batches(data.validation)),
        test_accuracy=evaluate(module, evaluation_batches(data.test)),
    )
    with job.transaction() as session:
        record_architecture(session, job.job_id, trained)
    return trained


def most_accurate(networks: Sequence[FoundArchitecture]) -> FoundArchitecture:
    """Return the found network with the best accuracy on the validation split."""
    found = [network for network in networks if network.role == "found"]
    return max(found, key=lambda network: network.validation_accuracy or 0.0)


def export(job: SearchJob, found: FoundArchitecture) -> None:
    """Write the found network as ONNX, as torch weights and as JSON."""
    job.tell("export", TRAINED, "exporting")
    architecture = parse_architecture(found.architecture, job.space)
    workload = architecture.workload()
    module = load_network(workload, weights_path(job, architecture))
    save_network(module, job.folder / "network.pt")
    (job.folder / "network.onnx").write_bytes(onnx_bytes(workload, numpy_weights(module)))
    (job.folder / "network.json").write_text(to_json(found))


def outcome(job: SearchJob, found: FoundArchitecture) -> str:
    """Return the end of the job in a sentence."""
    target = f", target {job.target_us / 1000:.4g} ms" if job.target_us else ""
    measured = (
        "not measured, since the device has no agent"
        if found.measured_us is None
        else f"measured {found.measured_us / 1000:.4g} ms"
    )
    return (
        f"{measured}, predicted {found.predicted_us / 1000:.4g} ms{target}; "
        f"test accuracy {found.test_accuracy or 0.0:.1%}"
    )


def known_us(network: FoundArchitecture) -> float:
    """Return the measured latency, or the predicted one where nothing can be measured."""
    return network.predicted_us if network.measured_us is None else network.measured_us


def weights_path(job: SearchJob, architecture: Architecture) -> Path:
    """Return where the trained weights of a network are kept."""
    return job.folder / f"{architecture.workload().key}.pt"
