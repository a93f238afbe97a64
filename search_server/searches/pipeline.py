"""One search from its latency table to its exported network: the whole flow, a line a stage.

With its parts, ``finalists.py`` and ``training.py``, the only place where torch and the database meet.
Everything that took long is kept in the store, so a search that is stopped or killed goes on:

    search.pt      the search after its last epoch
    <hash>.pt      a trained network, by its blocks
    network.onnx   the delivered network, also as network.tflite, network.ncnn.zip, network.py and
                   network.pt; network.json what is known of it
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from io import BytesIO

import torch

from search_server.clock import utc_now
from search_server.data_roots import NO_ROOTS, DataRoots
from search_server.engines.engine import Engine
from search_server.engines.local import LOCAL
from search_server.jobs.registry import finish_job
from search_server.nas.budget.search_caps import budget_caps
from search_server.nas.checkpoint import Place, checkpoint_place, load_checkpoint
from search_server.nas.data.images import DataSplits
from search_server.nas.search import SearchRun, SearchStepFacts
from search_server.nas.shards import Shards
from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.searches import SearchCreate, SearchStep
from search_server.searches.chosen import chosen_network
from search_server.searches.decoded_again import decoded_front, retargeted_network
from search_server.searches.delivery import deliver
from search_server.searches.event_files import event_files
from search_server.searches.finalists import (
    measured_baselines,
    measured_finalists,
    measured_most,
    measured_shortlist,
    shortlist_caps,
)
from search_server.searches.recording import record_step
from search_server.searches.search_inputs import data_choice, device_tables, search_data
from search_server.searches.search_job import SearchJob, StoppedError, Transaction, open_search_job
from search_server.searches.searches import checkpoint_name
from search_server.searches.shared_search import SearchTask, search_together
from search_server.searches.stages import SEARCHED
from search_server.searches.trackers import NO_TRACKERS, Trackers, tracked
from search_server.searches.training import train_all
from search_server.store import Store
from shared.protocol.wire import from_dict, to_dict


def run_search_job(
    job_id: str,
    transaction: Transaction,
    store: Store,
    should_stop: Callable[[], bool],
    trackers: Trackers = NO_TRACKERS,
    accelerator: str = "auto",
    data_roots: DataRoots = NO_ROOTS,
    teachers: tuple[str, ...] = (),
    engine: Engine = LOCAL,
) -> None:
    """Run a search to its end, or until it is asked to stop; call it again to go on.

    Args:
        job_id: a claimed search.
        transaction: opens a session that commits at its end.
        store: keeps what the search leaves.
        should_stop: asked between steps.
        trackers: books of experiments in which the search is noted.
        accelerator: what it computes on; see ``nas/accelerator.py``.
        data_roots: where its images may lie.
        teachers: functions that it may take a teacher from, as ``MODULE:FUNCTION``.
        engine: where its processes run.

    Raises:
        ValueError: the data, the table or the accelerator does not suit the search, or the library of a
            tracker is missing; the message says what would help.
    """
    job = open_search_job(
        job_id,
        transaction,
        store,
        should_stop,
        trackers.tensorboard,
        accelerator,
        data_roots,
        teachers,
        engine,
    )
    try:
        keep_threads(job)
        with tracked(trackers, job_id, job.request) as tracker:
            found = outcome_of(replace(job, note=tracker.write))
            if found is not None:
                tracker.finish(found)
    except StoppedError:
        return
    except torch.OutOfMemoryError as error:
        raise ValueError(out_of_memory(job.request, error)) from error
    result = None if found is None else to_dict(found)
    message = "the front is decoded" if found is None else outcome(job, found)
    with transaction() as session:
        finish_job(session, job_id, utc_now(), result=result, message=message)


def keep_threads(job: SearchJob) -> None:
    """Compute with as many threads as the search began with, or as are asked for."""
    num_threads = job.num_threads()
    if num_threads is not None:
        torch.set_num_threads(num_threads)


def outcome_of(job: SearchJob) -> FoundArchitecture | None:
    """Do what was asked and return the network that is delivered; None: a front, which has many."""
    request = job.request
    if request.points is not None:
        decoded_front(job)
        return None
    if request.origin is not None:
        return retargeted_network(job)
    return largest_network(job) if request.paths == "none" else searched_network(job)


def searched_network(job: SearchJob) -> FoundArchitecture:
    """Search with a supernet, compare, and export."""
    data = search_data(job)
    run = search_supernet(job, data)
    caps = shortlist_caps(job, run)
    finalists = measured_finalists(job, caps, partial(measured_shortlist, job, run, data))
    heirs_of = run.supernet if job.request.training == "inherit" else None
    trained = train_all(job, [*finalists, *measured_baselines(job, caps)], data, heirs_of)
    return deliver(job, chosen_network(job, trained), data)


def largest_network(job: SearchJob) -> FoundArchitecture:
    """Decode the largest network within the limits from the table; compare and export it if trained."""
    caps = budget_caps(job.space, device_tables(job), job.request)
    find = partial(measured_most, job, "found", job.request.most)
    networks = [*measured_finalists(job, caps, find)[:1], *measured_baselines(job, caps)]
    if job.request.train_epochs == 0:
        return networks[0]
    data = search_data(job)
    trained = train_all(job, networks, data)
    return deliver(job, trained[0], data)


def search_supernet(job: SearchJob, data: DataSplits) -> SearchRun:
    """Train weights and theta of the supernet; a checkpoint and a recorded step an epoch."""
    request, name = job.request, checkpoint_name(job.job_id)
    checkpoint = job.store.read_sealed(name) if job.store.has(name) else None
    place = checkpoint_place(BytesIO(checkpoint)) if checkpoint else Place(0, 0, job.engine.num_processes)
    task = SearchTask(
        job.space.name,
        device_tables(job),
        request,
        data_choice(job),
        job.accelerator,
        place.num_shards,
        job.num_threads(),
    )
    job.tell("search", SEARCHED * place.epoch / request.epochs, "searching")
    with event_files(job.event_folder, place.step) as events:

        def on_report(facts: SearchStepFacts, reported: bytes) -> None:
            nonlocal checkpoint
            # What is to be known of the data stands with the first epoch, where it is kept and shown.
            notes = data.notes if facts.epoch == 0 else ()
            step = from_dict(to_dict(replace(facts, warnings=(*notes, *facts.warnings))), SearchStep)
            with job.transaction() as session:  # refused once the search is another worker's
                record_step(session, job.job_id, step)
            job.store.write_sealed(name, reported)
            checkpoint = reported
            events.write(step)
            job.note(step)
            num_done = facts.epoch + 1
            message = "; ".join(facts.warnings) or f"searching: epoch {num_done} of {request.epochs}"
            job.tell("search", SEARCHED * num_done / request.epochs, message)

        num_processes = min(place.num_shards, job.engine.num_processes)
        job.engine.run_together(search_together, task, num_processes, checkpoint, on_report, job.go_on)
    assert checkpoint is not None, "each epoch reports one"
    run = task.new_run(Shards(place.num_shards))
    load_checkpoint(run, BytesIO(checkpoint))
    return run


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
    accuracy = "not trained" if found.test_accuracy is None else f"test accuracy {found.test_accuracy:.1%}"
    return f"{'; '.join(latencies)}; {accuracy}{_origin_words(found)}{_collapse(job, found)}"


def _origin_words(found: FoundArchitecture) -> str:
    """Return a sentence where the search did not find what it delivers."""
    if found.role != "most_macs":
        return ""
    return (
        "; the latency table alone gave this network, the one with the most multiply-accumulates: on the "
        "validation split it is ahead of what the search found"
    )


def _collapse(job: SearchJob, found: FoundArchitecture) -> str:
    """Return a warning where latency alone decided: no network of the space is faster."""
    fastest_us, slowest_us = job.devices[0].table.latency_range_us()
    skips_all = set(found.architecture.split(",")) == {"skip"}
    # Entries are measured: of networks as fast as one another, noise decides which is the fastest.
    if not skips_all and found.predicted_us > fastest_us + 0.01 * (slowest_us - fastest_us):
        return ""
    what = "skips every layer" if skips_all else "is the fastest of the space, or within 1 % of its range"
    return (
        f"; warning: the found network {what}, so latency outweighed accuracy; search with a higher "
        "--target-ms, or with a lower --latency-weight of loss additive"
    )


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
