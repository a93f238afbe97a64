"""The samples of one cell: exactly what the device sent of it, counted and weighed by hand."""

from dataclasses import replace

import pytest

from search_server.profiling.plan import MIN_PROFILE_LEASES
from search_server.resources.samples import CellSamples, CellSpread
from search_server.resources.tables import ProfileCreate
from shared.protocol.device import Environment
from shared.protocol.wire import from_dict
from shared.search_space import search_space
from shared.workload import IDENTITY_KEY
from tests.search_server.api import Api
from tests.search_server.synthetic import (
    NODES_PER_SEGMENT,
    NUM_PROFILED_RUNS,
    PROFILER_COST_US,
    SIMULATED,
    SyntheticDevice,
    lease_results,
    segment_latency_us,
)
from tests.search_server.tables import known_table

pytestmark = pytest.mark.anyio
TINY = search_space("fbnet-tiny")
BEFORE = Environment(core_khz=(1_800_000, 2_800_000), temperature_c=41.0)


async def profile(api: Api, device: SyntheticDevice) -> tuple[str, str]:
    """Profile the small space; return the job and the snapshot."""
    job = await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED))
    job_id = job["job"]["job_id"]
    while (lease := await device.lease()) is not None:
        for result in lease_results(lease):
            await device.post(replace(result, cores_seen=(1,), environment_before=BEFORE))
    return job_id, (await api.get(f"/profiles/{job_id}"))["snapshot"]


async def cell(api: Api, snapshot: str, query: str) -> CellSamples:
    return from_dict(await api.get(f"/latency-tables/{snapshot}/samples?{query}"), CellSamples)


async def test_a_cell_has_the_runs_of_all_networks_that_hold_it(api: Api, device: SyntheticDevice) -> None:
    job_id, snapshot = await profile(api, device)
    stem = await cell(api, snapshot, "layer=stem")
    key = next(placed.key for placed in TINY.segments())
    # The stem is in each of the nine covers of each window, and each is profiled six times.
    assert len(stem.windows) == 9 * MIN_PROFILE_LEASES
    assert stem.spread is not None
    assert stem.spread.num_samples == 9 * MIN_PROFILE_LEASES * NUM_PROFILED_RUNS
    truth_us = segment_latency_us(key) + NODES_PER_SEGMENT * PROFILER_COST_US
    assert (stem.spread.min_us, stem.spread.p50_us) == pytest.approx((truth_us, truth_us))
    assert stem.spread.cv == pytest.approx(0, abs=1e-9)
    assert (stem.job_id, stem.windows[0].cores_seen, stem.windows[0].before) == (job_id, (1,), BEFORE)


async def test_cells_that_compute_the_same_share_their_samples(api: Api, device: SyntheticDevice) -> None:
    _, snapshot = await profile(api, device)
    keys = {(placed.segment.name, placed.block): placed.key for placed in TINY.segments()}
    same = next(
        (layer, other)
        for layer in (layer.name for layer in TINY.layers)
        for other in (layer.name for layer in TINY.layers)
        if layer < other and keys[layer, "k3_e3"] == keys[other, "k3_e3"]
    )
    one, other = [await cell(api, snapshot, f"layer={layer}&block=k3_e3") for layer in same]
    assert one.windows == other.windows
    assert set(same) <= {window.layer for window in one.windows}


async def test_every_cell_has_a_spread(api: Api, device: SyntheticDevice) -> None:
    _, snapshot = await profile(api, device)
    answer = await api.get(f"/latency-tables/{snapshot}/spreads")
    spreads = {(each.layer, each.block): each.spread for each in from_dict(answer, tuple[CellSpread, ...])}
    assert list(spreads) == [(placed.segment.name, placed.block) for placed in TINY.segments()]
    for placed in TINY.segments():
        found = spreads[placed.segment.name, placed.block]
        if placed.key == IDENTITY_KEY:
            assert found is None
            continue
        assert found is not None
        # The device gives each segment the same time in every run, and its profiler adds to each node.
        truth_us = segment_latency_us(placed.key) + NODES_PER_SEGMENT * PROFILER_COST_US
        assert (found.min_us, found.p50_us, found.p90_us) == pytest.approx((truth_us,) * 3)
        assert found.num_samples % NUM_PROFILED_RUNS == 0
    assert spreads["stem", ""] == (await cell(api, snapshot, "layer=stem")).spread
    assert spreads["layer02", "k3_e3"] == (await cell(api, snapshot, "layer=layer02&block=k3_e3")).spread


async def test_what_has_no_samples_says_so(api: Api, device: SyntheticDevice) -> None:
    _, snapshot = await profile(api, device)
    free = next(placed for placed in TINY.segments() if placed.block and not placed.segment.operators)
    empty = await cell(api, snapshot, f"layer={free.segment.name}&block={free.block}")
    assert (empty.spread, empty.windows) == (None, ())
    wrong = await api.refused("GET", f"/latency-tables/{snapshot}/samples?layer=layer01&block=k9_e9")
    assert (wrong.status, "has no block 'k9_e9' in layer 'layer01'" in wrong.detail) == (422, True)
    content = known_table(device.device_id, slowdown=2.0).to_json()
    imported = await api.send(
        "POST", "/latency-tables/import?format=json&device=shelf", content=content.encode()
    )
    other = imported.json()["summary"]["snapshot"]
    refused = await api.refused("GET", f"/latency-tables/{other}/samples?layer=stem")
    assert (refused.status, refused.type) == (409, "no_samples")
    refused = await api.refused("GET", f"/latency-tables/{other}/spreads")
    assert (refused.status, refused.type) == (409, "no_samples")
