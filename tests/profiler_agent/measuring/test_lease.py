"""The harness with tiny models that do nothing but count."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from profiler_agent.measuring.lease import measure_lease
from profiler_agent.runtimes.base import UnsupportedWorkloadError
from shared.protocol.device import Conditions
from shared.protocol.measurement import Lease, LeaseItem, NodeSamples, Policy, Result
from tests.profiler_agent.leases import WORKLOAD

POLICY = Policy(window_s=0.01, warmup_s=0, min_runs=6, max_pause_s=0)
LEASE = Lease(
    "lease",
    1,
    "device",
    (LeaseItem("anchor", WORKLOAD, is_anchor=True), LeaseItem("net", WORKLOAD, profile_segments=True)),
    Conditions("simulated"),
    POLICY,
    ttl_s=60,
)


class CountingModel:
    def __init__(self) -> None:
        self.num_runs = 0
        self.num_profiled_runs = 0

    def run(self) -> None:
        self.num_runs += 1

    def run_profiled(self) -> None:
        self.num_profiled_runs += 1

    def node_samples(self) -> Sequence[NodeSamples]:
        return (NodeSamples("layer01/0/conv", "layer01", "Conv", (1.0,) * self.num_profiled_runs),)


class SlowModel(CountingModel):
    """Takes longer than the timed runs of a turn may."""

    def run(self) -> None:
        end_s = time.perf_counter() + 0.008
        while time.perf_counter() < end_s:
            pass


class CountingRuntime:
    name = "simulated"
    accelerators = ("cpu",)
    version = "1"

    def __init__(self) -> None:
        self.models: dict[str, CountingModel] = {}

    def load(self, item: LeaseItem, conditions: Conditions, artifact_path: Path | None) -> CountingModel:
        return self.models.setdefault(item.item_id, CountingModel())


class NotingRuntime(CountingRuntime):
    """Notes loads and runs in their order; cannot load the item ``odd``."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    def load(self, item: LeaseItem, conditions: Conditions, artifact_path: Path | None) -> CountingModel:
        if item.item_id == "odd":
            raise UnsupportedWorkloadError("no such operator")
        self.events.append(f"load {item.item_id}")
        return NotingModel(item.item_id, self.events)


class NotingModel(CountingModel):
    def __init__(self, item_id: str, events: list[str]) -> None:
        super().__init__()
        self._item_id = item_id
        self._events = events

    def run(self) -> None:
        super().run()
        self._events.append(f"run {self._item_id}")


def run(lease: Lease, canary_us: list[float], reference_us: float | None = None) -> dict[str, Result]:
    times = iter(canary_us)
    results = measure_lease(
        lease, CountingRuntime(), {}, lambda _: None, (), reference_us, lambda: next(times, canary_us[-1])
    )
    return {result.item_id: result for result in results}


def test_a_device_at_its_pace_gives_samples() -> None:
    results = run(LEASE, [37.0])
    anchor, net = results["anchor"], results["net"]
    assert len(net.runs.wall_us) >= 6
    # The anchor's turn comes first. A turn in which the system stops the process may have fewer runs.
    last_us = [dict(zip(each.runs.turn_index, each.runs.start_us, strict=True)) for each in (anchor, net)]
    assert all(last_us[0][turn] < last_us[1][turn] for turn in last_us[0] | last_us[1])
    assert len(net.profiled_wall_us) >= 1
    assert (net.canary_us, net.paused_s) == (37.0, 0.0)


def test_items_take_turns_of_up_to_three_runs_and_share_them_with_the_anchor() -> None:
    two = replace(LEASE, items=(*LEASE.items, LeaseItem("other", WORKLOAD)))
    results = run(two, [37.0])
    turns = {name: Counter(result.runs.turn_index) for name, result in results.items()}
    assert max(turns["anchor"].values()) == 3
    assert (
        sorted([*turns["net"], *turns["other"]])
        == sorted(turns["anchor"])
        == [*range(len(turns["anchor"]))]
    )


def test_a_turn_begins_with_untimed_runs() -> None:
    runtime = CountingRuntime()
    results = list(measure_lease(LEASE, runtime, {}, lambda _: None, (), None, lambda: 37.0))
    assert runtime.models["net"].num_runs > 10 * len(results[1].runs.wall_us)


def test_a_model_runs_before_the_next_is_loaded_and_the_anchor_is_loaded_three_times() -> None:
    runtime = NotingRuntime()
    plain = tuple(
        LeaseItem(name, WORKLOAD, is_anchor=name == "anchor") for name in ("anchor", "odd", "net")
    )
    results = {
        r.item_id: r for r in measure_lease(replace(LEASE, items=plain), runtime, {}, lambda _: None)
    }
    loads, runs = runtime.events[0:8:2], runtime.events[1:8:2]
    assert sorted(loads) == ["load anchor"] * 3 + ["load net"]
    assert [run.replace("run", "load") for run in runs] == loads
    assert (results["odd"].status, results["odd"].reason) == ("unsupported", "no such operator")


def test_without_its_anchor_no_item_has_numbers() -> None:
    items = (LeaseItem("odd", WORKLOAD, is_anchor=True), LeaseItem("net", WORKLOAD))
    anchor, net = measure_lease(replace(LEASE, items=items), NotingRuntime(), {}, lambda _: None)
    assert (anchor.status, anchor.reason) == ("unsupported", "no such operator")
    assert (net.status, net.reason) == ("unsupported", "its anchor cannot run: no such operator")
    assert net.runs.wall_us == ()


def test_a_slow_model_takes_turns_of_one_run() -> None:
    runtime = CountingRuntime()
    runtime.models = {"anchor": SlowModel(), "net": SlowModel()}
    anchor, net = measure_lease(LEASE, runtime, {}, lambda _: None, (), None, lambda: 37.0)
    assert anchor.runs.turn_index == net.runs.turn_index == tuple(range(POLICY.min_runs))


def test_a_slow_device_gives_no_numbers_but_says_why() -> None:
    for result in run(LEASE, [60.0], reference_us=37.0).values():
        assert result.status == "throttled"
        assert "1.62 times its best" in str(result.reason)
        assert result.runs.wall_us == ()
        assert result.canary_us is None


def test_a_slow_device_that_is_accepted_gives_numbers_and_says_what_was_accepted() -> None:
    accepting = replace(LEASE, policy=replace(POLICY, accept_noise=True))
    results = run(accepting, [60.0], reference_us=37.0)
    for result in results.values():
        assert (result.status, result.reason) == ("ok", None)
        assert "1.62 times its best on this device (limit 1.10)" in str(result.noise)
        assert (result.canary_us, result.paused_s) == (60.0, 0.0)
    # The anchor may have fewer: a turn in which the system stops it has one run instead of three.
    assert len(results["net"].runs.wall_us) >= POLICY.min_runs
    assert results["anchor"].runs.wall_us


def test_a_device_wanted_hot_is_kept_under_load_while_it_settles() -> None:
    hot = replace(
        LEASE,
        conditions=Conditions("simulated", thermal="sustained"),
        policy=replace(POLICY, max_pause_s=2),
    )
    runtime = CountingRuntime()
    times = iter([60.0])
    results = list(measure_lease(hot, runtime, {}, lambda _: None, (), 37.0, lambda: next(times, 37.0)))
    assert {result.status for result in results} <= {"ok", "unstable"}
    assert results[0].paused_s > 0
    assert runtime.models["net"].num_runs > 1000
