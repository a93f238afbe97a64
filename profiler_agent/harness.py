"""Rounds and samples: how the items of a lease are measured, interleaved in random order.

A round runs every item plain and, where asked, once more under the runtime's profiler, in an order
drawn anew each round. The anchor runs right before every plain run of another item: contention lasts
for tens of milliseconds, so the two share it and their ratio is steady where neither time is. Every
timed run follows an untimed run of the same model: else the more models a lease has, the colder their
caches, and networks of different leases could not be compared. Between rounds the pace of the device is
checked; see :mod:`profiler_agent.pace`.
"""

import gc
import random
import resource
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from profiler_agent.canary import typical_us
from profiler_agent.environment import read_environment
from profiler_agent.pace import Pace
from profiler_agent.runtimes.base import (
    Clock,
    InVirtualTime,
    LoadedModel,
    Runtime,
    UnsupportedWorkloadError,
)
from profiler_agent.stability import cores_remark, judge, judge_slow_device
from shared.measurement import Lease, LeaseItem, NodeSamples, Result, RunSamples


@dataclass(slots=True)
class _Recorder:
    """The samples of one item while its rounds go on."""

    model: LoadedModel
    clock: Clock
    start_us: list[float] = field(default_factory=list)
    wall_us: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    round_index: list[int] = field(default_factory=list)
    involuntary_switches: list[int] = field(default_factory=list)
    minor_faults: list[int] = field(default_factory=list)
    profiled_wall_us: list[float] = field(default_factory=list)
    least_wait_us: float = float("inf")

    def run(self, round_index: int, origin_ns: int) -> None:
        self.model.run()
        clock = self.clock
        usage = resource.getrusage(_USAGE_SCOPE)
        cpu_ns = clock.cpu_ns()
        start_ns = clock.wall_ns()
        self.model.run()
        end_ns = clock.wall_ns()
        cpu_end_ns = clock.cpu_ns()
        usage_end = resource.getrusage(_USAGE_SCOPE)
        self.start_us.append((start_ns - origin_ns) / 1000)
        self.wall_us.append((end_ns - start_ns) / 1000)
        self.cpu_us.append((cpu_end_ns - cpu_ns) / 1000)
        self.round_index.append(round_index)
        self.involuntary_switches.append(usage_end.ru_nivcsw - usage.ru_nivcsw)
        self.minor_faults.append(usage_end.ru_minflt - usage.ru_minflt)
        self.least_wait_us = min(self.least_wait_us, max(0.0, self.wall_us[-1] - self.cpu_us[-1]))

    @property
    def stalled_us(self) -> float:
        """How much longer the last run waited for a core than this model ever has to."""
        return self.wall_us[-1] - self.cpu_us[-1] - self.least_wait_us

    def run_profiled(self) -> None:
        start_ns = self.clock.wall_ns()
        self.model.run_profiled()
        self.profiled_wall_us.append((self.clock.wall_ns() - start_ns) / 1000)

    def samples(self) -> RunSamples:
        return RunSamples(**{f.name: tuple(getattr(self, f.name)) for f in fields(RunSamples)})


_MAX_PROFILED_RUNS = 40
"""Profiled runs of an item in a lease, spread over the window: more would only make the profile longer."""

_REWARM_S = 0.1
"""Warming up again after a pause: every timed run has an untimed one before it, only clocks must rise."""

_USAGE_SCOPE = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)


def measure(
    lease: Lease,
    runtime: Runtime,
    artifact_paths: Mapping[str, Path],
    report_progress: Callable[[float], None],
    cores_asked: tuple[int, ...] = (),
    canary_reference_us: float | None = None,
    sense_canary_us: Callable[[], float] | None = None,
) -> Iterator[Result]:
    """Measure all items of a lease and yield one result for each.

    Args:
        lease: what to measure and for how long.
        runtime: the inference runtime of the lease's conditions.
        artifact_paths: model files by SHA-256.
        report_progress: called with the share of the window that is over, 0..1, after each round.
        cores_asked: where this process should run; empty leaves the choice to the operating system.
        canary_reference_us: the canary's best time on this device; None if none is known.
        sense_canary_us: how fast the device is now; None asks :mod:`profiler_agent.canary`.
    """
    started_at = datetime.now(UTC).isoformat()
    clock = runtime.begin(lease.policy.seed) if isinstance(runtime, InVirtualTime) else Clock()
    start_ns = clock.wall_ns()
    before = read_environment()
    recorders: dict[str, _Recorder] = {}
    for item in lease.items:
        path = artifact_paths[item.artifact.sha256] if item.artifact else None
        try:
            recorders[item.item_id] = _Recorder(runtime.load(item, lease.conditions, path), clock)
        except UnsupportedWorkloadError as error:
            yield Result(
                lease.lease_id,
                lease.fence,
                item.item_id,
                "unsupported",
                str(error),
                runtime_version=runtime.version,
            )
    items = [item for item in lease.items if item.item_id in recorders]
    models = [recorders[item.item_id].model for item in items]
    _warm_up(models, clock, lease.policy.warmup_s)
    pace = _pace(lease, models, clock, canary_reference_us, sense_canary_us or clock.canary_us)
    cores_seen = _run_rounds(lease, items, recorders, clock, pace, report_progress)
    after = read_environment()
    runs = {item.item_id: recorders[item.item_id].samples() for item in items}
    anchor_runs = next((runs[item.item_id] for item in items if item.is_anchor), None)
    for item in items:
        recorder = recorders[item.item_id]
        if pace.is_lost:
            judgement = judge_slow_device(pace.slowdown, pace.paused_s, after)
        else:
            judgement = judge(runs[item.item_id], anchor_runs, cores_remark(cores_asked, cores_seen))
        yield Result(
            lease_id=lease.lease_id,
            fence=lease.fence,
            item_id=item.item_id,
            status=judgement.status,
            reason=judgement.reason,
            runs=runs[item.item_id],
            nodes=tuple(_known_segments(item, recorder.model.node_samples())),
            profiled_wall_us=tuple(recorder.profiled_wall_us),
            runtime_version=runtime.version,
            cores_seen=cores_seen,
            environment_before=before,
            environment_after=after,
            started_at=started_at,
            device_s=(clock.wall_ns() - start_ns) / 1e9,
            is_simulated=runtime.name == "simulated",
            canary_us=typical_us(pace.checks_us),
            paused_s=pace.paused_s,
        )


def _warm_up(models: Sequence[LoadedModel], clock: Clock, seconds: float) -> None:
    """Run each model at least once, and all together for some time."""
    end_ns = clock.wall_ns() + seconds * 1e9
    while models:
        for model in models:
            model.run()
        if clock.wall_ns() >= end_ns:
            break


def _pace(
    lease: Lease,
    models: Sequence[LoadedModel],
    clock: Clock,
    reference_us: float | None,
    sense_us: Callable[[], float],
) -> Pace:
    """Return what watches over the rounds: a cold device rests in a pause, a hot one is kept under load."""
    is_sustained = lease.conditions.thermal == "sustained"
    pause = partial(_warm_up, models, clock) if is_sustained else time.sleep
    warm_up = partial(_warm_up, models[:1], clock, _REWARM_S)
    return Pace(
        reference_us, lease.policy.max_pause_s, pause, warm_up, sense_us, lambda: clock.wall_ns() / 1e9
    )


def _run_rounds(
    lease: Lease,
    items: Sequence[LeaseItem],
    recorders: Mapping[str, _Recorder],
    clock: Clock,
    pace: Pace,
    report_progress: Callable[[float], None],
) -> tuple[int, ...]:
    """Run rounds until the window is over or the pace is lost; return the cores that this thread was on."""
    policy = lease.policy
    anchor = next((recorders[item.item_id] for item in items if item.is_anchor), None)
    runs = [(recorders[item.item_id], False) for item in items if not item.is_anchor or len(items) == 1]
    runs += [(recorders[item.item_id], True) for item in items if item.profile_segments]
    shuffle = random.Random(policy.seed).shuffle
    cores_seen: set[int] = set()
    share = 0.0
    origin_ns = clock.wall_ns()
    gc.collect()
    gc.disable()
    try:
        for round_index in range(policy.max_rounds if runs else 0):
            if not pace.is_kept():
                break
            shuffle(runs)
            for recorder, is_profiled in runs:
                pace.resume()
                if is_profiled:
                    if len(recorder.profiled_wall_us) <= share * _MAX_PROFILED_RUNS:
                        recorder.run_profiled()
                        pace.note_run(0.0)
                    continue
                if anchor is not None and recorder is not anchor:
                    anchor.run(round_index, origin_ns)
                recorder.run(round_index, origin_ns)
                pace.note_run(recorder.stalled_us)
            cores_seen.update(_current_core())
            share = ((clock.wall_ns() - origin_ns) / 1e9 - pace.paused_s) / policy.window_s
            report_progress(min(1.0, share))
            if share >= 1 and round_index + 1 >= policy.min_rounds:
                break
    finally:
        gc.enable()
    return tuple(sorted(cores_seen))


def _known_segments(item: LeaseItem, nodes: Sequence[NodeSamples]) -> Iterator[NodeSamples]:
    known = {segment.name for segment in item.workload.segments}
    for node in nodes:
        if node.segment not in known:
            raise RuntimeError(f"node {node.name!r} belongs to no segment of item {item.item_id!r}")
        yield node


def _current_core() -> tuple[int, ...]:
    """Return the core this thread last ran on; nothing where the kernel does not tell."""
    try:
        with open(f"/proc/self/task/{threading.get_native_id()}/stat") as file:
            return (int(file.read().rpartition(")")[2].split()[36]),)
    except (OSError, ValueError, IndexError):
        return ()
