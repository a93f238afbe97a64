"""From a lease to its results: the rounds of its items, what is judged of them, what surrounded them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from profiler_agent.facts.environment import read_environment
from profiler_agent.measuring.canary import typical_us
from profiler_agent.measuring.rounds import Profile, Rounds
from profiler_agent.measuring.stability import cores_remark, judge, judge_slow_device
from profiler_agent.runtimes.base import Clock, InVirtualTime, Runtime
from shared.protocol.measurement import Lease, LeaseItem, NodeSamples, Result


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
        sense_canary_us: how fast the device is now; None asks :mod:`profiler_agent.measuring.canary`.
    """
    started_at = datetime.now(UTC).isoformat()
    clock = runtime.begin(lease.policy.seed) if isinstance(runtime, InVirtualTime) else Clock()
    start_ns = clock.wall_ns()
    before = read_environment()
    rounds = Rounds(lease, runtime, artifact_paths, clock, report_progress)
    pace = rounds.pace(canary_reference_us, sense_canary_us or clock.canary_us)
    runs = rounds.plain_rounds(pace)
    profiles = rounds.profiled_rounds(pace)
    after = read_environment()
    anchor_runs = next((runs[item.item_id] for item in lease.items if item.is_anchor), None)
    cores_seen = tuple(sorted(rounds.cores_seen))
    for item in lease.items:
        if item.item_id in rounds.unsupported:
            reason = rounds.unsupported[item.item_id]
            yield Result(
                lease.lease_id,
                lease.fence,
                item.item_id,
                "unsupported",
                reason,
                runtime_version=runtime.version,
            )
            continue
        if pace.is_lost:
            judgement = judge_slow_device(pace.slowdown, pace.paused_s, after)
        else:
            judgement = judge(runs[item.item_id], anchor_runs, cores_remark(cores_asked, cores_seen))
        profile = profiles.get(item.item_id, Profile())
        yield Result(
            lease_id=lease.lease_id,
            fence=lease.fence,
            item_id=item.item_id,
            status=judgement.status,
            reason=judgement.reason,
            runs=runs[item.item_id],
            nodes=tuple(_known_segments(item, profile.nodes)),
            profiled_wall_us=profile.wall_us,
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


def _known_segments(item: LeaseItem, nodes: Sequence[NodeSamples]) -> Iterator[NodeSamples]:
    known = {segment.name for segment in item.workload.segments}
    for node in nodes:
        if node.segment not in known:
            raise RuntimeError(f"node {node.name!r} belongs to no segment of item {item.item_id!r}")
        yield node
