"""One search from its latency table to its exported network: the whole flow, a line a stage.

The only file where torch and the database meet. Everything that took long is kept in the job's folder,
so a search that is stopped or killed goes on from there:

    search.pt      the search after its last epoch
    <hash>.pt      a trained network, by its blocks
    network.onnx   the found network; network.pt its weights, network.json what is known of it
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import torch

from search_server.context import utc_now
from search_server.jobs.event_files import event_files
from search_server.jobs.recording import finish_search, record_architecture, record_step
from search_server.jobs.search_job import SearchJob, StoppedError, Transaction, open_search_job
from search_server.jobs.targets import SPAN, corrections, is_on_target, loads, nearness
from search_server.jobs.verification import measure_networks
from search_server.nas.accelerator import choose_accelerator
from search_server.nas.batches import evaluation_batches, training_batches
from search_server.nas.caps import Cap, latency_cap, load
from search_server.nas.checkpoint import load_checkpoint, save_checkpoint
from search_server.nas.config import SearchConfig, search_config
from search_server.nas.data import load_data
from search_server.nas.export import load_network, numpy_weights, save_network
from search_server.nas.finalist import finalist_network
from search_server.nas.images import DataSplits
from search_server.nas.search import SearchRun, search
from search_server.nas.search_caps import are_kept
from search_server.nas.shortlist import shortlist
from search_server.nas.train import TrainConfig, evaluate, train
from search_server.profiling.artifacts import onnx_bytes
from search_server.resources.searches import FoundArchitecture, Role, SearchCreate, SearchStep
from shared.architecture import (
    Architecture,
    parse_architecture,
    random_architecture,
    uniform_architecture,
)
from shared.wire import from_dict, to_dict, to_json

NUM_FINALISTS = 2
"""Networks that are trained; the better one on the validation split is the found one."""

# Where each stage ends, as a share of the whole.
SEARCHED, MEASURED, TRAINED = 0.5, 0.6, 0.98


def run_search_job(
    job_id: str,
    transaction: Transaction,
    data_dir: Path,
    should_stop: Callable[[], bool],
    events_dir: Path | None = None,
    accelerator: str = "auto",
) -> None:
    """Run a search to its end, or until it is asked to stop; call it again to go on.

    Args:
        job_id: a claimed search.
        transaction: opens a session that commits at its end.
        data_dir: the server's data folder.
        should_stop: asked between steps.
        events_dir: where TensorBoard reads event files; None for none.
        accelerator: what it computes on; see ``nas/accelerator.py``.

    Raises:
        ValueError: the data, the table or the accelerator does not suit the search; the message says
            what would.
    """
    job = open_search_job(job_id, transaction, data_dir, should_stop, events_dir, accelerator)
    try:
        request = job.request
        data = load_data(
            request.data, job.space.resolution, request.seed, request.num_classes, request.class_names
        )
        data.require_fit(job.space.num_classes, job.space.name)
        run = search_supernet(job, data)
        caps = shortlist_caps(job, run)
        finalists = measured_finalists(job, run, caps, data)
        baselines = measured_baselines(job, caps)
        trained = train_all(job, run, [*finalists, *baselines], data)
        found = most_accurate(trained)
        export(job, found)
    except StoppedError:
        return
    except torch.OutOfMemoryError as error:
        raise ValueError(out_of_memory(job.request, error)) from error
    with transaction() as session:
        finish_search(session, job_id, found, utc_now(), outcome(job, found))


def search_supernet(job: SearchJob, data: DataSplits) -> SearchRun:
    """Train weights and theta of the supernet; a checkpoint and a recorded step an epoch."""
    request = job.request
    weight_batches, theta_batches = (
        training_batches(part, request.batch_size, seed=2 * request.seed + index)
        for index, part in enumerate((data.weights, data.theta))
    )
    tables = {device.name: device.table for device in job.devices}
    accelerator = choose_accelerator(job.accelerator)
    run = search(job.space, tables, weight_batches, theta_batches, search_settings(job), accelerator)
    checkpoint = job.folder / "search.pt"
    if checkpoint.exists():
        load_checkpoint(run, checkpoint)
    job.tell("search", SEARCHED * run.epoch / request.epochs, "searching")
    with event_files(job.event_folder, run.step) as events:
        for facts in run:
            save_checkpoint(run, checkpoint)
            step = from_dict(to_dict(facts), SearchStep)
            with job.transaction() as session:
                record_step(session, job.job_id, step)
            events.write(step)
            message = "; ".join(facts.warnings) or f"searching: epoch {run.epoch} of {request.epochs}"
            job.tell("search", SEARCHED * run.epoch / request.epochs, message)
    return run


def search_settings(job: SearchJob) -> SearchConfig:
    """Return what a request says of the search itself."""
    request = job.request
    return search_config(
        request.preset,
        paths=request.paths,
        weights=request.weights,
        loss=request.loss,
        target_us=job.targets_us or None,
        latency_sigmas=request.latency_sigmas,
        combine=request.combine,
        table_weights=tuple(device.weight for device in job.devices) if request.also else None,
        max_macs=request.max_macs,
        max_params=request.max_params,
        alpha=request.alpha,
        beta=request.beta,
        latency_unit=request.latency_unit,
        latency_weight=request.latency_weight,
        mixed_precision=request.mixed_precision,
        recomputes_branches=request.recomputes_branches,
        epochs=request.epochs,
        warmup_epochs=request.warmup_epochs,
        seed=request.seed,
    )


def shortlist_caps(job: SearchJob, run: SearchRun) -> tuple[Cap, ...]:
    """Return the limits of the networks to look at: those of the search, or the latency that it led to."""
    if run.caps:
        return run.caps
    limit_us = job.targets_us[0] if job.targets_us else job.predict_us(run.architecture())
    return (latency_cap(job.devices[0].name, run.latency, limit_us),)


def measured_finalists(
    job: SearchJob, run: SearchRun, caps: Sequence[Cap], data: DataSplits
) -> list[FoundArchitecture]:
    """Decode theta within the caps, measure, and return the best networks that are on target.

    The best are those with the highest accuracy under inherited weights. If the measurements put none on
    target, theta is decoded once more, under limits corrected by the median of measured / predicted.
    """
    measured = measured_shortlist(job, run, caps, data)
    if not job.targets_us:
        return measured[:NUM_FINALISTS]
    if not any(is_on_target(loads(job, network)) for network in measured):
        corrected = corrected_caps(job, caps, measured)
        if corrected is not None:
            measured = measured_shortlist(job, run, corrected, data) + measured
    distinct = {network.architecture: network for network in measured}
    return sorted(distinct.values(), key=lambda each: nearness(loads(job, each)))[:NUM_FINALISTS]


def measured_shortlist(
    job: SearchJob, run: SearchRun, caps: Sequence[Cap], data: DataSplits
) -> list[FoundArchitecture]:
    """Return the shortlist under some caps, measured, the most accurate first."""
    job.tell("sample", SEARCHED, "ranking networks decoded and drawn from theta")
    request = job.request
    networks = shortlist(
        run.supernet, caps, data, request.num_samples, request.seed, 1 - SPAN, request.mixed_precision
    )
    return measure_networks(job, [("found", network) for network in networks], SEARCHED)


def corrected_caps(
    job: SearchJob, caps: Sequence[Cap], measured: Sequence[FoundArchitecture]
) -> list[Cap] | None:
    """Return limits under which networks should measure as their targets say; None if that cannot be.

    Only measured latencies correct a limit: that of a device without an agent stays, and so do those on
    MACs and parameters.
    """
    networks = [parse_architecture(each.architecture, job.space) for each in measured]
    predicted_ND = [[cap.cost(network) / cap.limit for cap in caps] for network in networks]
    factors = corrections([loads(job, each) for each in measured], predicted_ND)
    are_measured = [device.can_measure for device in job.devices]
    if job.request.combine == "weighted":
        are_measured = [all(are_measured)]
    limits = [
        cap.limit / factor if is_measured else cap.limit
        for cap, factor, is_measured in zip_longest(caps, factors, are_measured)
    ]
    corrected = [cap.with_limit(limit) for cap, limit in zip(caps, limits, strict=True)]
    return corrected if limits != [cap.limit for cap in caps] and are_kept(corrected) else None


def measured_baselines(job: SearchJob, caps: Sequence[Cap]) -> list[FoundArchitecture]:
    """Return the uniform network nearest to the limits, and a random one beside them, measured."""
    if not job.request.compare_baselines:
        return []

    def distance(architecture: Architecture) -> float:
        return abs(load(caps, architecture) - 1)

    uniform = min((uniform_architecture(job.space, b) for b in job.space.candidates), key=distance)
    networks: list[tuple[Role, Architecture]] = [("uniform", uniform)]
    generator = random.Random(job.request.seed)
    drawn = (random_architecture(job.space, generator) for _ in range(20_000))
    near = next((network for network in drawn if distance(network) <= SPAN), None)
    if near is not None:
        networks.append(("random", near))
    return measure_networks(job, networks, SEARCHED + (MEASURED - SEARCHED) / 2)


def train_all(
    job: SearchJob, run: SearchRun, networks: Sequence[FoundArchitecture], data: DataSplits
) -> list[FoundArchitecture]:
    """Train each network, all alike, and record its accuracy."""
    span = (TRAINED - MEASURED) / len(networks)
    return [
        train_network(job, run, network, data, MEASURED + span * index, span)
        for index, network in enumerate(networks)
    ]


def train_network(
    job: SearchJob,
    run: SearchRun,
    network: FoundArchitecture,
    data: DataSplits,
    progress: float,
    span: float,
) -> FoundArchitecture:
    """Train one network as was asked, from ``progress`` to ``progress + span`` of the whole."""
    request = job.request
    architecture = parse_architecture(network.architecture, job.space)
    path, is_mixed = weights_path(job, architecture), request.mixed_precision
    if path.exists():
        module = load_network(architecture.workload(), path).to(run.accelerator)
    else:
        module = finalist_network(
            architecture, run.supernet, data, request.seed, request.training, is_mixed
        )
        batches = training_batches(data.training, request.batch_size, seed=request.seed)
        how = "training" if request.training == "scratch" else "fine-tuning"
        settings = TrainConfig(epochs=request.train_epochs, mixed_precision=is_mixed)
        for facts in train(module, batches, settings):
            epoch = facts.epoch + 1
            message = f"{how} the {network.role} network: epoch {epoch} of {request.train_epochs}"
            job.tell("train", progress + span * epoch / request.train_epochs, message)
        save_network(module, path)
    trained = replace(
        network,
        validation_accuracy=evaluate(module, evaluation_batches(data.validation), is_mixed),
        test_accuracy=evaluate(module, evaluation_batches(data.test), is_mixed),
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
    target = f", target {job.targets_us[0] / 1000:.4g} ms" if job.targets_us else ""
    latencies = [
        f"{_latency_words(found.measured_us, found.predicted_us)}{target}",
        *(
            f"on {other.device} {_latency_words(other.measured_us, other.predicted_us)}, "
            f"target {other.target_us / 1000:.4g} ms"
            for other in found.others
        ),
    ]
    return f"{'; '.join(latencies)}; test accuracy {found.test_accuracy or 0.0:.1%}"


def _latency_words(measured_us: float | None, predicted_us: float) -> str:
    measured = (
        "not measured, since the device has no agent"
        if measured_us is None
        else f"measured {measured_us / 1000:.4g} ms"
    )
    return f"{measured}, predicted {predicted_us / 1000:.4g} ms"


def out_of_memory(request: SearchCreate, error: BaseException) -> str:
    """Return what to do about a search that does not fit in its accelerator's memory."""
    return (
        f"the accelerator's memory does not hold a step with batches of {request.batch_size} and paths "
        f"{request.paths!r} ({str(error).partition('.')[0]}); submit the search anew with a smaller "
        "batch_size, mixed_precision, recomputes_branches, or paths 'one'"
    )


def weights_path(job: SearchJob, architecture: Architecture) -> Path:
    """Return where the trained weights of a network are kept."""
    blocks = hashlib.sha256(str(architecture).encode()).hexdigest()[:16]
    return job.folder / f"{blocks}.pt"
