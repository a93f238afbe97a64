"""A second opinion on latency: a plain timing loop that shares no code with harness or fit.

Run in a process of its own: ``python -m benchmarks.plain_timing ORDER.json`` times networks in rounds of
random order, each right after the first network, and prints seconds as JSON.
"""

import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.plain_models import Array, PlainModel, environment_of, load_model
from search_server.model_files.model_file import ModelFile, model_file
from shared.protocol.device import Conditions
from shared.protocol.wire import from_json, to_json
from shared.workload import Workload

NETWORK_WARM_S = 0.008
BLOCK_WARM_S = 0.003
"""After so long a network, or a single block, runs as fast as if it were alone."""
UNTIMED_RUNS = 2
"""At least: a network that takes longer than that time must not be colder than the yardstick."""
TIMED_RUNS = 3
MAX_PAGE_FAULTS = 10.0
"""A timed run, in the mean; at half a microsecond each, more of them would be a part of the time."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to time."""

    runtime: str
    workloads: tuple[Workload, ...]
    """The first is the yardstick."""
    paths: tuple[str | None, ...]
    """Model file of each; None where the runtime builds the network itself."""
    seconds: float
    warm_s: float
    """How long a network runs untimed before its timed runs, twice at least; 0: not at all, and there is
    one timed run."""
    seed: int
    min_runs: int
    """Timed ones of a network in the mean, however long they take."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What a process found."""

    seconds: Array
    """Of shape (rounds, networks, 2): seconds of the yardstick right before, and of the network, each the
    median of what followed the untimed runs."""
    page_faults_per_run: float
    """Minor ones, mean over the timed runs."""

    def ratios(self) -> Array:
        """Return the median over rounds of network over yardstick, one value a network."""
        ratios: Array = np.median(self.seconds[:, :, 1] / self.seconds[:, :, 0], axis=0)
        return ratios

    def medians_s(self) -> Array:
        """Return the median seconds of each network."""
        medians: Array = np.median(self.seconds[:, :, 1], axis=0)
        return medians


def time_in_new_process(
    workloads: Sequence[Workload],
    conditions: Conditions,
    seconds: float,
    warm_s: float,
    seed: int,
    min_runs: int = 3,
) -> Timing:
    """Time networks in a new process for some seconds; the first is the yardstick.

    Raises:
        RuntimeError: the process failed, or its runs met page faults; the message says what to do.
    """
    files = [model_file(workload, conditions) for workload in workloads]
    return time_files(workloads, files, conditions, seconds, warm_s, seed, min_runs)


def time_files(
    workloads: Sequence[Workload],
    files: Sequence[ModelFile | Path | None],
    conditions: Conditions,
    seconds: float,
    warm_s: float,
    seed: int,
    min_runs: int = 3,
) -> Timing:
    """Do the same with the model file of each network, which may stand there in several forms.

    A path is a file that has been written.

    Raises:
        RuntimeError: the process failed, or its runs met page faults; the message says what to do.
    """
    with tempfile.TemporaryDirectory(prefix="edgenas-timing-") as folder:
        written = [
            file.write(Path(folder), str(i)) if isinstance(file, ModelFile) else file
            for i, file in enumerate(files)
        ]
        paths = [str(path) if path else None for path in written]
        how_long = (seconds, warm_s, seed, min_runs)
        order = Order(conditions.runtime, tuple(workloads), tuple(paths), *how_long)
        order_path = Path(folder) / "order.json"
        order_path.write_text(to_json(order))
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.plain_timing", str(order_path)],
            capture_output=True,
            text=True,
            env={**os.environ, **environment_of(conditions.runtime)},
        )
    if done.returncode:
        raise RuntimeError(
            f"the timing process of {conditions} failed with code {done.returncode} (negative: a signal):\n"
            f"{done.stderr[-2000:]}"
        )
    found = json.loads(done.stdout.splitlines()[-1])
    timing = Timing(np.array(found["seconds"]), found["page_faults_per_run"])
    if timing.page_faults_per_run > MAX_PAGE_FAULTS:
        raise RuntimeError(
            f"{timing.page_faults_per_run:.0f} page faults a run of {conditions} (limit "
            f"{MAX_PAGE_FAULTS:.0f}): the allocator gives memory back; on glibc set MALLOC_* variables"
        )
    return timing


class _Stopwatch:
    """Times runs and counts their page faults."""

    def __init__(self) -> None:
        self.num_runs = self._num_faults = 0

    @property
    def page_faults_per_run(self) -> float:
        return self._num_faults / self.num_runs

    def seconds(self, model: PlainModel, warm_s: float) -> float:
        """Return what a run takes: after untimed runs, the median of two or three."""
        start = time.perf_counter()
        num_untimed = 0
        while warm_s and (num_untimed < UNTIMED_RUNS or time.perf_counter() - start < warm_s):
            model.run()
            num_untimed += 1
        start = time.perf_counter()
        runs = [self._run_s(model)]
        while warm_s and (len(runs) < 2 or time.perf_counter() - start < warm_s) and len(runs) < TIMED_RUNS:
            runs.append(self._run_s(model))
        return statistics.median(runs)

    def _run_s(self, model: PlainModel) -> float:
        num_faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        start = time.perf_counter()
        model.run()
        seconds = time.perf_counter() - start
        self._num_faults += resource.getrusage(resource.RUSAGE_SELF).ru_minflt - num_faults
        self.num_runs += 1
        return seconds


def _load(order: Order) -> list[PlainModel]:
    """Load in random order: models that are loaded late run up to 3 % faster."""
    places = list(range(len(order.workloads)))
    random.Random(order.seed).shuffle(places)
    loaded = {}
    for place in places:
        path = order.paths[place]
        loaded[place] = load_model(order.runtime, order.workloads[place], Path(path) if path else None)
    return [loaded[place] for place in range(len(order.workloads))]


def _run(order: Order) -> dict[str, object]:
    models = _load(order)
    for model in models * 2:
        model.run()
    watch = _Stopwatch()
    shuffled = list(range(len(models)))
    shuffle = random.Random(order.seed).shuffle
    end = time.perf_counter() + order.seconds
    rounds: list[list[tuple[float, float]]] = []
    while time.perf_counter() < end or watch.num_runs < 2 * len(models) * order.min_runs:
        shuffle(shuffled)
        pairs = [(0.0, 0.0)] * len(models)
        for index in shuffled:
            yardstick = watch.seconds(models[0], order.warm_s)
            pairs[index] = (yardstick, watch.seconds(models[index], order.warm_s))
        rounds.append(pairs)
    return {"seconds": rounds, "page_faults_per_run": watch.page_faults_per_run}


if __name__ == "__main__":
    print(json.dumps(_run(from_json(Path(sys.argv[1]).read_bytes(), Order))), flush=True)
    os._exit(0)  # the figures are out; a runtime that fails while it is torn down changes nothing
