"""A device that dials out and answers every lease at once with made-up times that add up."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from shared.protocol.measurement import Lease, LeaseItem, LeaseRequest, NodeSamples, Result, RunSamples
from shared.protocol.wire import from_json, to_json
from shared.workload import IDENTITY_KEY, Workload

NUM_ROUNDS = 8
PROFILER_COST_US = 2.5


@contextmanager
def tiny_device(url: str, token: str) -> Iterator[None]:
    """Answer leases in a thread until the block ends."""
    is_over = threading.Event()
    thread = threading.Thread(target=_answer_leases, args=(url, token, is_over))
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _answer_leases(url: str, token: str, is_over: threading.Event) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with httpx.Client(base_url=f"{url}/api/v1/agent", headers=headers, timeout=30) as http:
        while not is_over.is_set():
            answer = http.post("/lease", params={"wait": 0.2}, content=to_json(LeaseRequest()))
            if answer.raise_for_status().status_code == httpx.codes.OK:
                for result in results(from_json(answer.content, Lease)):
                    sent = http.post(f"/leases/{result.lease_id}/results", content=to_json(result))
                    assert sent.is_success, sent.text


def results(lease: Lease) -> Iterator[Result]:
    """Yield a result for each item: in every round the anchor, then the item, one after the other."""
    anchor = next(item for item in lease.items if item.is_anchor)
    runs: dict[str, list[tuple[int, float, float]]] = {item.item_id: [] for item in lease.items}
    others = [item for item in lease.items if item is not anchor]
    clock_us = 0.0
    for turn, item in enumerate(others * NUM_ROUNDS):
        for network in (anchor, item):
            wall_us = _network_us(network.network)
            runs[network.item_id].append((turn, clock_us, wall_us))
            clock_us += wall_us
    for item in lease.items:
        yield _result(lease, item, runs[item.item_id])


def _network_us(workload: Workload) -> float:
    return sum(latency_us for _, latency_us in _segments_us(workload))


def _segments_us(workload: Workload) -> Iterator[tuple[str, float]]:
    for segment, shape, key in zip(
        workload.segments, workload.shapes(), workload.segment_keys(), strict=False
    ):
        if key != IDENTITY_KEY:
            yield segment.name, 6.0 + segment.macs(shape) / 40_000


def _result(lease: Lease, item: LeaseItem, runs: list[tuple[int, float, float]]) -> Result:
    turns, starts, walls = zip(*runs, strict=True)
    nodes = tuple(
        NodeSamples(f"{name}/0/conv", name, "Conv", (latency_us + PROFILER_COST_US,) * NUM_ROUNDS)
        for name, latency_us in _segments_us(item.network)
    )
    return Result(
        lease.lease_id,
        lease.fence,
        item.item_id,
        "ok",
        runs=RunSamples(
            start_us=starts,
            wall_us=walls,
            cpu_us=walls,
            turn_index=turns,
            involuntary_switches=(0,) * len(runs),
            minor_faults=(0,) * len(runs),
        ),
        nodes=nodes if item.profile_segments else (),
        runtime_version="1",
        is_simulated=True,
    )
