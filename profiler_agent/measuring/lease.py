"""Measures a lease: runs its rounds, judges the samples of each item, and adds the state of the device."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from profiler_agent.facts.environment import read_environment
from profiler_agent.measuring.canary import usual_us
from profiler_agent.measuring.rounds import Profile, Rounds
from profiler_agent.measuring.stability import (
    Judgement,
    cores_remark,
    judge_runs,
    judge_slow_device,
    slowness,
)
from profiler_agent.measuring.throttling import MAX_SLOWDOWN
from profiler_agent.runtimes.base import Clock, InVirtualTime, Runtime
from shared.protocol.measurement import Lease, LeaseItem, NodeSamples, Result


def measure_lease(
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
        sense_canary_us: how fast the device is now; None asks :mod:`profiler_agent.measuring.canary`.
    """
    started_at = datetime.now(UTC).isoformat()
    clock = runtime.begin(lease.policy.seed) if isinstance(runtime, InVirtualTime) else Clock()
    start_ns = clock.wall_ns()
    before = read_environment()
    rounds = Rounds(lease, runtime, artifact_paths, clock, report_progress)
    watch = rounds.throttling_watch(canary_reference_us, sense_canary_us or clock.canary_us)
    runs = rounds.run_plain_rounds(watch)
    profiles = rounds.run_profiled_rounds(watch)
    after = read_environment()
    anchor_id = next((item.item_id for item in lease.items if item.is_anchor), "")
    cores_seen = tuple(sorted(rounds.cores_seen))
    shared = Result(
        lease.lease_id,
        lease.fence,
        item_id="",
        status="unsupported",
        runtime_version=runtime.version,
        cores_seen=cores_seen,
        environment_before=before,
        environment_after=after,
        started_at=started_at,
        device_s=(clock.wall_ns() - start_ns) / 1e9,
        is_simulated=runtime.name == "simulated",
        canary_us=usual_us(watch.checks_us),
        paused_s=watch.paused_s,
    )
    for item in lease.items:
        unsupported = rounds.unsupported.get(item.item_id)
        if unsupported is None and anchor_id in rounds.unsupported:
            unsupported = f"its anchor cannot run: {rounds.unsupported[anchor_id]}"
        if unsupported is not None:
            yield replace(shared, item_id=item.item_id, reason=unsupported)
            continue
        remark, noise = cores_remark(cores_asked, cores_seen), None
        if item.is_anchor and not runs[item.item_id].wall_us and not watch.gave_up:
            yield replace(shared, item_id=item.item_id, reason="it had no other network to run before")
            continue
        if watch.gave_up:
            judgement = judge_slow_device(watch.slowdown, watch.paused_s, after)
        else:
            judgement = judge_runs(runs[item.item_id], runs.get(anchor_id), remark)
        if lease.policy.accept_noise:
            noise = _accepted_noise(judgement, watch.worst_slowdown)
            judgement = Judgement("ok", remark)
        profile = profiles.get(item.item_id, Profile())
        _require_known_segments(item, profile.nodes)
        yield replace(
            shared,
            item_id=item.item_id,
            status=judgement.status,
            reason=judgement.reason,
            runs=runs[item.item_id],
            nodes=profile.nodes,
            profiled_wall_us=profile.wall_us,
            noise=noise,
        )


def _accepted_noise(judgement: Judgement, worst_slowdown: float) -> str | None:
    """Return what would speak against a result if the lease did not accept it."""
    against = [judgement.reason] if judgement.status != "ok" and judgement.reason else []
    if worst_slowdown > MAX_SLOWDOWN:
        against.append(f"{slowness(worst_slowdown)} at its worst")
    return "; ".join(against) or None


def _require_known_segments(item: LeaseItem, nodes: Sequence[NodeSamples]) -> None:
    if item.workload is None:
        return
    known = {segment.name for segment in item.workload.segments}
    for node in nodes:
        if node.segment not in known:
            raise RuntimeError(f"node {node.name!r} belongs to no segment of item {item.item_id!r}")
