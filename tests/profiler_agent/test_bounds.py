import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from profiler_agent.bounds import Bounds, refusals
from shared.operators import Conv2d
from shared.protocol.device import Conditions
from shared.protocol.measurement import Lease, LeaseItem
from shared.workload import Segment, Workload
from tests.profiler_agent.leases import SHORT, WORKLOAD, real_lease

LEASE = real_lease("a", "b")
WIDE = Workload((8, 12, 12), (Segment("wide", (Conv2d(8, 20_000),)),))


def test_an_ordinary_lease_is_accepted() -> None:
    assert refusals(LEASE, Bounds(), "phone") == {}
    assert refusals(LEASE, Bounds(), None) == {}


@pytest.mark.parametrize(
    ("lease", "bounds", "words"),
    [
        (replace(LEASE, device_id="tablet"), Bounds(), "for device 'tablet', this is 'phone'"),
        (replace(LEASE, protocol=99), Bounds(), "protocol 99"),
        (LEASE, Bounds(max_items=1), "2 items, this agent allows 1"),
        (LEASE, Bounds(max_window_s=0.01), "0.05 window_s"),
        (LEASE, Bounds(max_warmup_s=0), "0.01 warmup_s"),
        (LEASE, Bounds(max_min_runs=1), "2 min_runs"),
        (LEASE, Bounds(max_artifact_bytes=10), "bytes of model files"),
        (LEASE, Bounds(max_parameter_bytes=10), "bytes of parameters"),
        (LEASE, Bounds(runtimes=("torch",)), "offers runtime torch, not 'onnxruntime'"),
        (replace(LEASE, conditions=Conditions(cores=(0, 7))), Bounds(cores=(0,)), "cores 0,7"),
        (replace(LEASE, conditions=Conditions(threads=2)), Bounds(max_threads=1), "2 threads"),
    ],
)
def test_a_lease_is_refused_as_a_whole(lease: Lease, bounds: Bounds, words: str) -> None:
    refused = refusals(lease, bounds, "phone")
    assert refused.keys() == {"a", "b"}
    assert all(words in reason for reason in refused.values())


def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4, 6}, raising=False)


def two_cores_by_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.mark.parametrize(
    ("machine", "conditions", "lent", "words"),
    [
        (two_cores, Conditions(threads=2), (), None),
        (two_cores, Conditions(threads=2, cores=(6, 4)), (), None),
        (
            two_cores,
            Conditions(threads=3),
            (),
            "3 threads need as many cores, and the lease would run on 2",
        ),
        (
            two_cores,
            Conditions(threads=2),
            (6,),
            "2 threads need as many cores, and the lease would run on 1",
        ),
        (two_cores, Conditions(threads=2, cores=(4,)), (), "ask for at most 1 threads"),
        (two_cores, Conditions(cores=(0,)), (), "cores 0 are not all among those offered, 4,6"),
        (two_cores, Conditions(), (0, 4), "given cores 0,4, but the system lets it run on 4,6"),
        (two_cores_by_count, Conditions(threads=2, cores=(0, 1)), (), None),
        (two_cores_by_count, Conditions(threads=3), (), "would run on 2 (core 0,1)"),
    ],
)
def test_each_thread_needs_a_core(
    machine: Callable[[pytest.MonkeyPatch], None],
    conditions: Conditions,
    lent: tuple[int, ...],
    words: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(monkeypatch)
    refused = refusals(replace(LEASE, conditions=conditions), Bounds(cores=lent), "phone")
    if words is None:
        assert refused == {}
    else:
        assert all(words in reason for reason in refused.values())
        assert refused.keys() == {"a", "b"}


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        (Bounds(), "20,000 as the size of a dimension"),
        (Bounds(max_size=10**6, max_macs=20_000_000), "23,040,000 multiply-accumulates"),
        (Bounds(max_size=10**6, max_activation_bytes=10**6), "11,520,000 bytes of one activation"),
    ],
)
def test_one_item_is_refused_alone(bounds: Bounds, words: str) -> None:
    lease = replace(LEASE, items=(*LEASE.items, LeaseItem("wide", WIDE)))
    refused = refusals(lease, bounds, "phone")
    assert refused.keys() == {"wide"}
    assert words in refused["wide"]


def test_the_batch_counts() -> None:
    lease = replace(LEASE, conditions=Conditions(batch=2))
    assert refusals(lease, Bounds(max_macs=WORKLOAD.macs), "phone").keys() == {"a", "b"}


def test_many_operators_are_refused() -> None:
    assert "operators" in refusals(LEASE, Bounds(max_operators=2), "phone")["a"]


def test_without_its_anchor_nothing_is_measured() -> None:
    items = (LeaseItem("anchor", WIDE, is_anchor=True), *LEASE.items)
    refused = refusals(Lease("x", 1, "phone", items, Conditions(), SHORT, 60), Bounds(), "phone")
    assert "its anchor is refused" in refused["a"]
    assert "size of a dimension" in refused["anchor"]
