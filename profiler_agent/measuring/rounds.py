"""The items of a lease take turns in rounds, in an order that is drawn anew for each round.

The plain rounds come first. In them the anchor runs right before every other item: contention lasts for
tens of milliseconds, so the two share it, and their ratio is steady where neither time is. An item's turn
begins with 6 ms of untimed runs, two at least. Without these, caches would be the colder the more models a
lease has, and networks of different leases could not be compared. One timed run follows, or up to three
where they are short.

The rounds under the runtime's profiler come second. They have shorter turns, and models of their own,
which are loaded when those of the plain rounds are gone: as neighbours they made networks 1 to 2 % slower
against the anchor than a lease without profiled items does. Before each round the speed of the device is
checked; see :mod:`profiler_agent.measuring.throttling`.
"""

import gc
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from profiler_agent.measuring.recorder import Recorder, timed_runs, warm_caches
from profiler_agent.measuring.throttling import ThrottlingWatch
from profiler_agent.runtimes.base import Clock, LoadedModel, Runtime, UnsupportedWorkloadError
from shared.protocol.measurement import Lease, LeaseItem, NodeSamples, RunSamples

PROFILED_SHARE = 0.3
"""Of the window, where items are profiled at all."""

_PROFILED_WARM_NS = 2_000_000
"""Less than plain runs have: they tell how much a network takes, the profile only how that is spread."""

_MAX_PROFILED_ROUNDS = 20
"""Of a lease: more would only make the profile longer."""

_ANCHOR_COPIES = 3
"""All ratios share the anchor, so an anchor that lies badly in memory would shift them all alike."""

_REWARM_S = 0.1
"""Warming up again after a pause: every timed run has an untimed one before it, only clocks must rise."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What the profiled rounds say about one item."""

    nodes: tuple[NodeSamples, ...] = ()
    wall_us: tuple[float, ...] = ()


class Rounds:
    """Runs the two kinds of rounds of one lease, plain ones first, and holds its models."""

    def __init__(
        self,
        lease: Lease,
        runtime: Runtime,
        artifact_paths: Mapping[str, Path],
        clock: Clock,
        report_progress: Callable[[float], None],
    ) -> None:
        self.unsupported: dict[str, str] = {}
        """Why the runtime cannot run an item, by its id."""
        self.cores_seen: set[int] = set()
        self._lease = lease
        self._runtime = runtime
        self._artifact_paths = artifact_paths
        self._clock = clock
        self._report_progress = report_progress
        self._generator = random.Random(lease.policy.seed)
        self._warming: list[Callable[[], None]] = []
        """What runs to warm up: the models of the rounds at work."""

    def throttling_watch(
        self, reference_us: float | None, sense_us: Callable[[], float]
    ) -> ThrottlingWatch:
        """Return what pauses the rounds; a device that shall stay hot runs models in a pause."""
        is_sustained = self._lease.conditions.thermal == "sustained"
        return ThrottlingWatch(
            reference_us,
            self._lease.policy.max_pause_s,
            pause=self._warm_up if is_sustained else time.sleep,
            warm_up=lambda: self._warm_up(_REWARM_S, only_first=True),
            sense_us=sense_us,
            now_s=lambda: self._clock.wall_ns() / 1e9,
            accepts_slow=self._lease.policy.accept_noise,
        )

    def run_plain_rounds(self, watch: ThrottlingWatch) -> dict[str, RunSamples]:
        """Run the items plain, each right after the anchor; return their samples by item."""
        lease = self._lease
        items = [replace(item, profile_segments=False) for item in lease.items]
        is_alone = len(items) == 1
        copies = self._load(
            items + [i for i in items if i.is_anchor and not is_alone] * (_ANCHOR_COPIES - 1)
        )
        recorders = {item_id: Recorder(models, self._clock) for item_id, models in copies.items()}
        self._warming = [model.run for models in copies.values() for model in models]
        self._warm_up(lease.policy.warmup_s)
        anchor_id = next((item.item_id for item in lease.items if item.is_anchor), None)
        anchor = recorders.get(anchor_id) if anchor_id is not None else None
        others = [one for one in recorders.values() if one is not anchor or is_alone]
        origin_ns = self._clock.wall_ns()

        def run_round(round_index: int) -> None:
            self._generator.shuffle(others)
            for turn_index, recorder in enumerate(others, start=round_index * len(others)):
                watch.warm_up_if_idle()
                if anchor is not None and recorder is not anchor:
                    anchor.take_turn(turn_index, origin_ns)
                recorder.take_turn(turn_index, origin_ns)
                watch.note_run(recorder.stalled_us)

        is_profiling = any(item.profile_segments for item in lease.items)
        if others:
            end = 1.0 - PROFILED_SHARE if is_profiling else 1.0
            self._repeat(
                run_round,
                lambda: min(len(one.wall_us) for one in others),
                watch,
                0.0,
                end,
                lease.policy.max_rounds,
            )
        return {item_id: recorder.samples() for item_id, recorder in recorders.items()}

    def run_profiled_rounds(self, watch: ThrottlingWatch) -> dict[str, Profile]:
        """Run the items that ask for it under the runtime's profiler; return what it tells by item."""
        self._warming = []  # the last hold on the models of the plain rounds
        gc.collect()
        if watch.gave_up:
            return {}
        loaded = self._load([item for item in self._lease.items if item.profile_segments])
        models = {item_id: model for item_id, (model,) in loaded.items()}
        if not models:
            return {}
        wall_us: dict[str, list[float]] = {item_id: [] for item_id in models}
        self._warming = [model.run_profiled for model in models.values()]
        self._warm_up(0.0)
        watch.note_run(0.0)
        order = list(models)

        def run_round(_: int) -> None:
            self._generator.shuffle(order)
            for item_id in order:
                watch.warm_up_if_idle()
                warm_caches(models[item_id], self._clock, _PROFILED_WARM_NS, min_runs=1)
                for _ in timed_runs(self._clock):
                    start_ns = self._clock.wall_ns()
                    models[item_id].run_profiled()
                    wall_us[item_id].append((self._clock.wall_ns() - start_ns) / 1000)
                watch.note_run(0.0)

        max_rounds = min(_MAX_PROFILED_ROUNDS, self._lease.policy.max_rounds)
        self._repeat(
            run_round,
            lambda: min(map(len, wall_us.values())),
            watch,
            1.0 - PROFILED_SHARE,
            1.0,
            max_rounds,
        )
        return {
            item_id: Profile(tuple(model.node_samples()), tuple(wall_us[item_id]))
            for item_id, model in models.items()
        }

    def _load(self, items: Sequence[LeaseItem]) -> dict[str, list[LoadedModel]]:
        """Return the models of each item; an item that stands here twice has two.

        Items are loaded in random order, because models that come late to a process lie better in memory.
        Each runs once before the next is loaded: runtimes take the memory of activations at the first run,
        and so it lies beside the model's own weights, as where a network is alone in its process.
        """
        models: dict[str, list[LoadedModel]] = {}
        for item in self._generator.sample(items, k=len(items)):
            path = self._artifact_paths[item.artifact.sha256] if item.artifact else None
            try:
                model = self._runtime.load(item, self._lease.conditions, path)
            except UnsupportedWorkloadError as error:
                self.unsupported[item.item_id] = str(error)
                continue
            model.run()
            models.setdefault(item.item_id, []).append(model)
        return models

    def _warm_up(self, seconds: float, only_first: bool = False) -> None:
        """Run each model at least once, and all together for some time."""
        runs = self._warming[:1] if only_first else self._warming
        end_ns = self._clock.wall_ns() + seconds * 1e9
        while runs:
            for run in runs:
                run()
            if self._clock.wall_ns() >= end_ns:
                break

    def _repeat(
        self,
        run_round: Callable[[int], None],
        num_runs: Callable[[], int],
        watch: ThrottlingWatch,
        start: float,
        end: float,
        max_rounds: int,
    ) -> None:
        """Run rounds from one share of the window to another, or until the device stays slow.

        The last round is the one that ends nearest to the end, or with which each item has runs enough.

        Args:
            run_round: runs the round of this index.
            num_runs: how often the item with the fewest runs has run.
            watch: pauses while the device is slow.
            start: share of the window at which the rounds start.
            end: ... and end.
            max_rounds: no more than that.
        """
        policy = self._lease.policy
        origin_s, paused_before_s = self._clock.wall_ns() / 1e9, watch.paused_s
        gc.collect()
        gc.disable()
        try:
            for round_index in range(max_rounds):
                if not watch.wait_until_fast():
                    break
                run_round(round_index)
                self.cores_seen.update(_current_core())
                ran_s = self._clock.wall_ns() / 1e9 - origin_s - (watch.paused_s - paused_before_s)
                share = start + ran_s / policy.window_s
                self._report_progress(min(end, share))
                half_round = (share - start) / (round_index + 1) / 2
                if share + half_round >= end and num_runs() >= policy.min_runs:
                    break
        finally:
            gc.enable()


def _current_core() -> tuple[int, ...]:
    """Return the core this thread last ran on; nothing where the kernel does not tell."""
    try:
        with open(f"/proc/self/task/{threading.get_native_id()}/stat") as file:
            return (int(file.read().rpartition(")")[2].split()[36]),)
    except (OSError, ValueError, IndexError):
        return ()
