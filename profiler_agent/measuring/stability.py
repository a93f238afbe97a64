"""Judges what the samples of a lease are worth: a status, with its reason. It computes and nothing else.

The limits let a busy neighbour alone spoil nothing: both an item and the anchor that runs right before it
share the neighbour, and a table takes medians of their ratios and the middle half of profiled runs. No
table can be made of runs most of which waited for a core, nor of ratios that scatter too widely in the
window; see docs/measuring.md.
"""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from profiler_agent.measuring.throttling import MAX_SLOWDOWN
from shared.protocol.device import Environment
from shared.protocol.measurement import RunSamples, Status

MAX_WAITED_SHARE = 1 / 3
"""Of the median run's time, spent waiting for a core."""
MAX_RATIO_ERROR = 0.20
"""Relative standard error of a network's median ratio to the anchor in one window, of which a table takes
several: a window of a busy device holds few runs, and the table has a verdict of its own."""
MAX_FAULTS_PER_CPU_MS = 10.0
"""Minor page faults; at some microseconds each, more of them are a part of the time that is measured."""
HOT_C = 70.0
"""A device that is slow at this temperature of its hottest sensor is put off until it has cooled."""

_SHORTEST_WAIT_US = 10.0
"""Less is the reading of two clocks, not a neighbour who had the core."""
_FEW_SAMPLES = 5
"""Fewer runs say little about their median."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a result is worth; with ``ok``, a reason is a remark for its reader."""

    status: Status
    reason: str | None = None


def waited_share(runs: RunSamples) -> float:
    """Return which share of the median run's wall time it spent waiting, beyond what its kind always waits.

    On an accelerator every run waits, and equally long; one that other programs pushed aside waits longer.
    """
    waited_us = [max(0.0, wall - cpu) for wall, cpu in zip(runs.wall_us, runs.cpu_us, strict=True)]
    if not waited_us:
        return 0.0
    excess_us = statistics.median(waited_us) - min(waited_us)
    return excess_us / statistics.median(runs.wall_us) if excess_us > _SHORTEST_WAIT_US else 0.0


def ratio_error(runs: RunSamples, anchor: RunSamples) -> float:
    """Return the relative standard error of the median ratio to the anchor run right before.

    From the median absolute deviation; of fewer than five ratios, half their range.
    """
    ratios = list(_ratios(runs, anchor))
    if len(ratios) < 2:
        return 0.0
    median = statistics.median(ratios)
    if len(ratios) < _FEW_SAMPLES:
        return (max(ratios) - min(ratios)) / 2 / median
    deviation = 1.4826 * statistics.median(abs(ratio - median) for ratio in ratios)
    return 1.2533 * deviation / math.sqrt(len(ratios)) / median


def judge_runs(runs: RunSamples, anchor: RunSamples | None, remark: str | None = None) -> Judgement:
    """Return what the runs of one item are worth.

    Args:
        runs: of the item.
        anchor: runs of the lease's anchor, perhaps the same; None if the lease has none.
        remark: what a reader should know even if the runs are sound.
    """
    for whose, sample in (("", runs), ("the anchor's runs: ", anchor)):
        reason = _restlessness(sample) if sample is not None else None
        if reason:
            return Judgement("unstable", whose + reason)
    error = 0.0 if anchor is None or anchor is runs else ratio_error(runs, anchor)
    if error > MAX_RATIO_ERROR:
        return Judgement(
            "unstable",
            f"the ratio to the anchor is known to {error:.0%} only (limit {MAX_RATIO_ERROR:.0%}) after "
            f"{len(runs.wall_us)} runs; stop what else runs on the device, or measure for longer",
        )
    return Judgement("ok", remark)


def cores_remark(cores_asked: Iterable[int], cores_seen: Iterable[int]) -> str | None:
    """Return a remark if runs were seen on cores that were not asked for."""
    asked = set(cores_asked)
    strangers = set(cores_seen) - asked
    if not asked or not strangers:
        return None
    return (
        f"cores {_listed(asked)} were asked for, but runs were also seen on {_listed(strangers)}: the "
        "system does not obey; keep the app in the foreground, or ask for no cores"
    )


def judge_slow_device(slowdown: float, paused_s: float, state: Environment) -> Judgement:
    """Return what to say of a device that stayed slow for as long as its lease might pause."""
    slow = f"{slowness(slowdown)}, even after pauses of {paused_s:.1f} s"
    if state.temperature_c is not None and state.temperature_c >= HOT_C:
        return Judgement(
            "deferred",
            f"{slow}, at {state.temperature_c:.0f} degrees Celsius; let the device cool, then try again",
        )
    return Judgement(
        "throttled", f"{slow}; let it rest, plug it in, fix its clock if you can, then try again"
    )


def slowness(slowdown: float) -> str:
    """Return how slow a device is, with the limit."""
    return (
        f"a fixed piece of work takes {slowdown:.2f} times its best on this device (limit "
        f"{MAX_SLOWDOWN:.2f})"
    )


def _restlessness(runs: RunSamples) -> str | None:
    if len(runs.wall_us) < _FEW_SAMPLES:
        return None
    waited = waited_share(runs)
    if waited > MAX_WAITED_SHARE:
        switches = statistics.fmean(runs.involuntary_switches)
        return (
            f"the median run waits for a core during {waited:.0%} of its time (limit "
            f"{MAX_WAITED_SHARE:.0%}) and is pushed aside {switches:.1f} times; stop what else runs on the "
            "device, or choose quiet cores"
        )
    cpu_ms = statistics.median(runs.cpu_us) / 1000
    faults = statistics.median(runs.minor_faults) / cpu_ms if cpu_ms else 0.0
    if faults > MAX_FAULTS_PER_CPU_MS:
        return (
            f"{faults:.0f} page faults a millisecond of CPU time (limit {MAX_FAULTS_PER_CPU_MS:.0f}): the "
            "allocator gives memory back after each run; on glibc set MALLOC_MMAP_THRESHOLD_, "
            "MALLOC_TRIM_THRESHOLD_ and MALLOC_TOP_PAD_, elsewhere choose another runtime"
        )
    return None


def _ratios(runs: RunSamples, anchor: RunSamples) -> Iterable[float]:
    """Yield each run over the anchor run that started last before it; both are in order of time."""
    index = -1
    for start_us, wall_us in zip(runs.start_us, runs.wall_us, strict=True):
        while index + 1 < len(anchor.start_us) and anchor.start_us[index + 1] < start_us:
            index += 1
        if index >= 0:
            yield wall_us / anchor.wall_us[index]


def _listed(cores: set[int]) -> str:
    return ",".join(map(str, sorted(cores)))
