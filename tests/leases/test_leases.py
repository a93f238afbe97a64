"""Each lease once, one a device, fences, expiry, idempotent results, long polls."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from sqlalchemy import func, select

from search_server.db.models import MeasuredNodeRow, ResultRow
from search_server.db.session import Database
from search_server.housekeeping import keep_house
from search_server.leases.bell import watch_pending_leases
from search_server.leases.ingest import ingest_results
from search_server.leases.leases import LEASE_TTL_S, MAX_HAND_OUTS, claim_lease
from search_server.operating.collector import HouseBook
from search_server.profiling.measurements import request_measurement
from search_server.resources.latencies import MeasurementCreate
from search_server.resources.tables import ProfileCreate
from search_server.routes.agents import MAX_POLLS
from search_server.store import Store
from shared.protocol.measurement import Heartbeat, Lease, LeaseRequest
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice, lease_results, ok_result

pytestmark = pytest.mark.anyio


async def measure(api: Api) -> str:
    """Queue a measurement of two leases and return the job's id."""
    create = MeasurementCreate("raspi", "fbnet-tiny", ("skip",), SIMULATED)
    job_id: str = (await api.post("/measurements", create))["job"]["job_id"]
    return job_id


async def take(device: SyntheticDevice) -> Lease:
    lease = await device.lease()
    assert lease is not None
    return lease


async def status(api: Api, job_id: str) -> str:
    word: str = (await api.get(f"/measurements/{job_id}"))["job"]["status"]
    return word


def claim(database: Database, device_id: str, clock: Clock) -> Lease | None:
    with database.transaction() as session:
        return claim_lease(session, device_id, clock())


def in_threads(calls: list[Callable[[], Lease | None]]) -> list[Lease]:
    with ThreadPoolExecutor(len(calls)) as threads:
        futures = [threads.submit(call) for call in calls]
        return [lease for future in futures if (lease := future.result()) is not None]


async def test_one_device_gets_one_of_many_leases(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    for _ in range(3):
        await measure(api)
    claimed = in_threads([lambda: claim(database, device.device_id, clock)] * 8)
    assert len(claimed) == 1


async def test_many_devices_get_each_lease_once(api: Api, database: Database, clock: Clock) -> None:
    devices = [await SyntheticDevice.enrol(api, "raspi") for _ in range(4)]
    for device in devices:
        create = MeasurementCreate(device.device_id, "fbnet-tiny", ("skip",), SIMULATED)
        await api.post("/measurements", create)
    calls: list[Callable[[], Lease | None]] = [
        lambda device=device: claim(database, device.device_id, clock)  # type: ignore[misc]  # bound now
        for device in devices * 3
    ]
    claimed = in_threads(calls)
    assert sorted(lease.device_id for lease in claimed) == sorted(device.device_id for device in devices)


async def test_result_counts_once(api: Api, device: SyntheticDevice, database: Database) -> None:
    await measure(api)
    lease = await take(device)
    path = f"/agent/leases/{lease.lease_id}/results"
    first = await api.post(path, ok_result(lease), token=device.token)
    again = await api.post(path, ok_result(lease), token=device.token)
    assert (first["is_new"], again["is_new"]) == (True, False)
    with database.reading() as session:
        assert session.scalar(select(func.count(ResultRow.result_id))) == 1


async def test_results_that_come_together_count_once(
    api: Api, device: SyntheticDevice, database: Database
) -> None:
    job_id = await measure(api)
    for _ in range(2):
        lease = await take(device)
        results = lease_results(lease)
        path = f"/agent/leases/{lease.lease_id}/results"
        await api.post(path, results[0], token=device.token)
        for is_new in (True, False):
            sent = [*results, results[-1]]
            receipts = await api.post(f"{path}/batch", sent, token=device.token)
            told = [(receipt["item_id"], receipt["is_new"]) for receipt in receipts]
            assert told == [(results[0].item_id, False), (results[1].item_id, is_new), (told[1][0], False)]
    with database.reading() as session:
        assert session.scalar(select(func.count(ResultRow.result_id))) == 4
    assert await status(api, job_id) == "done"


async def test_nodes_are_there_however_their_results_came(
    api: Api, device: SyntheticDevice, database: Database
) -> None:
    await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED))
    num_nodes = []
    for num_single in (0, 3, None):
        lease = await take(device)
        results = lease_results(lease)
        for result in results[:num_single]:
            await device.post(result)
        if num_single is not None:
            path = f"/agent/leases/{lease.lease_id}/results/batch"
            await api.post(path, results[num_single:], token=device.token)
        statement = (
            select(ResultRow.item_id, MeasuredNodeRow.node)
            .join(MeasuredNodeRow, MeasuredNodeRow.result_id == ResultRow.result_id)
            .where(ResultRow.lease_id == lease.lease_id)
            .order_by(ResultRow.result_id, MeasuredNodeRow.node_index)
        )
        with database.reading() as session:
            stored = session.execute(statement).all()
        assert list(stored) == [(result.item_id, node.name) for result in results for node in result.nodes]
        num_nodes.append(len(stored))
    assert min(num_nodes) > 0


async def test_results_that_come_together_are_taken_all_or_none(
    api: Api, device: SyntheticDevice, database: Database
) -> None:
    await measure(api)
    lease = await take(device)
    first, last = lease_results(lease)
    path = f"/agent/leases/{lease.lease_id}/results/batch"
    spoilt = {
        "uneven_samples": replace(last, runs=replace(last.runs, cpu_us=())),
        "lease_mismatch": replace(last, lease_id="lease_else"),
        "unknown_item": replace(last, item_id="net99"),
        "stale_fence": replace(last, fence=last.fence + 1),
    }
    for word, result in spoilt.items():
        assert (await api.refused("POST", path, [first, result], token=device.token)).type == word
    assert (await api.refused("POST", path, [], token=device.token)).status == 422
    with database.reading() as session:
        assert session.scalar(select(func.count(ResultRow.result_id))) == 0


async def test_late_repeat_of_the_last_result_is_fine(api: Api, device: SyntheticDevice) -> None:
    await measure(api)
    lease = await take(device)
    results = lease_results(lease)
    for result in [*results, results[-1]]:
        await device.post(result)


async def test_old_fence_is_refused(api: Api, device: SyntheticDevice, clock: Clock) -> None:
    await measure(api)
    old = await take(device)
    clock.pass_s(LEASE_TTL_S + 1)
    new = await take(device)
    assert (new.lease_id, new.fence) == (old.lease_id, old.fence + 1)
    path = f"/agent/leases/{old.lease_id}/results"
    error = await api.refused("POST", path, ok_result(old), token=device.token)
    assert (error.status, error.type) == (409, "stale_fence")
    beat = Heartbeat(lease_id=old.lease_id, fence=old.fence)
    assert (await api.post("/agent/heartbeat", beat, token=device.token))["cancel"] is True
    await device.post(ok_result(new))
    # What is not stored is never acknowledged, although this item has a result by now.
    error = await api.refused("POST", path, ok_result(old), token=device.token)
    assert (error.status, error.type) == (409, "stale_fence")


async def test_a_result_of_an_earlier_hand_out_that_was_stored_may_come_again(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    job_id = await measure(api)
    old = await take(device)
    first, *_ = lease_results(old)
    await device.post(first)
    clock.pass_s(LEASE_TTL_S + 1)
    new = await take(device)
    await device.post(first)
    for result in lease_results(new)[1:]:
        await device.post(result)
    assert await status(api, job_id) == "running"  # the new hand-out lacks its first item
    await device.post(lease_results(new)[0])
    with database.reading() as session:
        fences = session.scalars(select(ResultRow.fence).where(ResultRow.item_id == first.item_id))
        assert sorted(fences) == [old.fence, new.fence]


async def test_a_heartbeat_revives_a_lease_that_expired_while_its_agent_was_cut_off(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock, tmp_path: Path
) -> None:
    await measure(api)
    lease = await take(device)
    beat = Heartbeat(lease_id=lease.lease_id, fence=lease.fence)
    clock.pass_s(LEASE_TTL_S + 1)
    keep_house(database, tmp_path, Store.at(tmp_path), clock, HouseBook())
    assert (await api.post("/agent/heartbeat", beat, token=device.token))["cancel"] is False
    assert await device.lease() is None  # it is at work again


async def test_a_lease_given_back_is_handed_out_again_at_once_and_never_fails_its_job(
    api: Api, device: SyntheticDevice, clock: Clock
) -> None:
    job_id = await measure(api)
    first = await take(device)
    fence = first.fence
    for _ in range(MAX_HAND_OUTS + 1):
        path = f"/agent/leases/{first.lease_id}?fence={fence}"
        assert (await api.send("DELETE", path, token=device.token)).status_code == 204
        late = Heartbeat(lease_id=first.lease_id, fence=fence)
        assert (await api.post("/agent/heartbeat", late, token=device.token))["cancel"] is True
        fence += 1
        assert (await take(device)).fence == fence
    assert (await api.refused("DELETE", path, token=device.token)).type == "stale_fence"
    clock.pass_s(LEASE_TTL_S + 1)
    assert (await take(device)).fence == fence + 1  # one that expires is the first that counts
    assert await status(api, job_id) == "running"


async def test_expired_lease_still_takes_results_until_handed_out_again(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock, tmp_path: Path
) -> None:
    job_id = await measure(api)
    lease = await take(device)
    clock.pass_s(LEASE_TTL_S + 1)
    keep_house(database, tmp_path, Store.at(tmp_path), clock, HouseBook())
    for result in lease_results(lease):
        await device.post(result)
    assert await device.work() == 1
    assert await status(api, job_id) == "done"


async def test_heartbeat_keeps_a_lease_and_shows_progress(
    api: Api, device: SyntheticDevice, clock: Clock
) -> None:
    job_id = await measure(api)
    lease = await take(device)
    for _ in range(4):
        clock.pass_s(LEASE_TTL_S - 1)
        beat = Heartbeat(lease_id=lease.lease_id, fence=lease.fence, progress=0.5)
        assert (await api.post("/agent/heartbeat", beat, token=device.token))["cancel"] is False
    assert (await api.get(f"/measurements/{job_id}"))["job"]["progress"] == 0.25
    assert (await api.get("/devices/raspi"))["current_job_id"] == job_id
    await device.post(ok_result(lease))


async def test_lease_that_always_expires_fails_its_job(
    api: Api, device: SyntheticDevice, clock: Clock
) -> None:
    job_id = await measure(api)
    for _ in range(MAX_HAND_OUTS):
        assert await device.lease() is not None
        clock.pass_s(LEASE_TTL_S + 1)
    assert await device.lease() is None
    failed = await api.get(f"/measurements/{job_id}")
    assert failed["job"]["status"] == "failed"
    assert "took lease" in failed["job"]["message"]


async def test_cancelled_lease_is_stopped_and_refused(api: Api, device: SyntheticDevice) -> None:
    job_id = await measure(api)
    lease = await take(device)
    await api.post(f"/measurements/{job_id}/cancel")
    beat = Heartbeat(lease_id=lease.lease_id, fence=lease.fence)
    assert (await api.post("/agent/heartbeat", beat, token=device.token))["cancel"] is True
    path = f"/agent/leases/{lease.lease_id}/results"
    assert (await api.refused("POST", path, ok_result(lease), token=device.token)).type == "lease_over"
    assert (await api.refused("POST", f"/measurements/{job_id}/cancel")).type == "job_ended"
    assert await device.lease() is None


async def test_results_are_not_trusted(api: Api, device: SyntheticDevice) -> None:
    await measure(api)
    lease = await take(device)
    good = ok_result(lease)
    other = await SyntheticDevice.enrol(api, "other")
    path = f"/agent/leases/{lease.lease_id}/results"

    async def word(result: object, token: str = device.token) -> str:
        return (await api.refused("POST", path, result, token=token)).type

    assert await word(good, other.token) == "unknown_lease"
    assert await word(replace(good, item_id="net99")) == "unknown_item"
    assert await word(replace(good, lease_id="lease_else")) == "lease_mismatch"
    assert await word(replace(good, runs=replace(good.runs, cpu_us=()))) == "uneven_samples"
    backwards = replace(good.runs, wall_us=tuple(-us for us in good.runs.wall_us))
    assert await word(replace(good, runs=backwards)) == "impossible_time"


async def test_agent_of_another_protocol_is_told_to_upgrade(api: Api, device: SyntheticDevice) -> None:
    request = LeaseRequest(protocol_min=7, protocol_max=9)
    error = await api.refused("POST", "/agent/lease", request, token=device.token)
    assert (error.status, error.type) == (426, "protocol_mismatch")
    assert "bring the server to the version that the agent came from" in error.detail


async def test_long_poll_ends_with_nothing(device: SyntheticDevice) -> None:
    assert await device.lease(wait_s=0.05) is None


async def test_long_poll_hears_of_a_new_lease(api: Api, device: SyntheticDevice) -> None:
    poll = asyncio.create_task(device.lease(wait_s=30))
    while not api.app.state.context.bell.waiting_devices():
        await asyncio.sleep(0)
    await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED))
    assert await poll is not None


async def test_long_poll_hears_of_a_lease_of_another_process(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    context = api.app.state.context

    def write() -> None:
        with database.transaction() as session:  # not the app's sessions: its bell does not ring
            request_measurement(
                session,
                context.store,
                device.device_id,
                "fbnet-tiny",
                ("skip",),
                SIMULATED,
                None,
                clock(),
            )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch_pending_leases, api.app.state.database, context.bell, 0.01)
        poll = asyncio.create_task(device.lease(wait_s=30))
        while not context.bell.waiting_devices():
            await asyncio.sleep(0)
        await asyncio.to_thread(write)
        assert await poll is not None
        tasks.cancel_scope.cancel()


async def test_crash_between_result_and_conclusion_is_made_good(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock, tmp_path: Path
) -> None:
    job_id = await measure(api)
    while (lease := await device.lease()) is not None:
        for result in lease_results(lease):
            with database.transaction() as session:  # stored, but nobody concludes
                ingest_results(session, device.device_id, lease.lease_id, (result,), clock())
    assert await status(api, job_id) == "running"
    keep_house(database, tmp_path, Store.at(tmp_path), clock, HouseBook())
    assert await status(api, job_id) == "done"


async def test_agent_that_runs_many_times_is_noticed(api: Api, device: SyntheticDevice) -> None:
    polls = [asyncio.create_task(device.lease(wait_s=30)) for _ in range(MAX_POLLS)]
    while api.app.state.context.bell.num_listeners(device.device_id) < MAX_POLLS:
        await asyncio.sleep(0)
    error = await api.refused("POST", "/agent/lease?wait=1", LeaseRequest(), token=device.token)
    assert (error.status, error.type) == (429, "too_many_polls")
    api.app.state.context.stopping.set()
    api.app.state.context.bell.ring_all()
    assert await asyncio.gather(*polls) == [None] * MAX_POLLS
