"""How a profile goes on, stops and is taken up again, seen by those who asked for it."""

from dataclasses import replace

import pytest

from search_server.profiling.plan import (
    MAX_LOST_WINDOWS,
    MIN_PROFILE_LEASES,
    SUSTAINED_REWARM_S,
    SUSTAINED_WARMUP_S,
)
from search_server.resources.tables import Profile, ProfileCreate
from shared.protocol.device import Conditions
from shared.protocol.measurement import Result
from shared.protocol.wire import from_dict
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice, lease_results, lost_results

pytestmark = pytest.mark.anyio
CREATE = ProfileCreate("raspi", "fbnet-tiny", SIMULATED)


async def start(api: Api, create: ProfileCreate = CREATE) -> str:
    return str((await api.post("/profiles", create))["job"]["job_id"])


async def look(api: Api, job_id: str) -> Profile:
    return from_dict(await api.get(f"/profiles/{job_id}"), Profile)


async def answer(device: SyntheticDevice, results: list[Result]) -> None:
    for result in results:
        await device.post(replace(result, device_s=6.0))


async def measure(device: SyntheticDevice, num_windows: int, noise: float = 0.0) -> None:
    for _ in range(num_windows):
        lease = await device.lease()
        assert lease is not None
        await answer(device, lease_results(lease, noise=noise))


async def test_each_window_tells_how_far_the_profile_is(api: Api, device: SyntheticDevice) -> None:
    job_id = await start(api)
    await measure(device, 2, noise=0.1)
    profile = await look(api, job_id)
    assert profile.outlook is not None
    assert (profile.outlook.num_windows, profile.outlook.num_lost) == (2, 0)
    assert profile.outlook.repeat_median is not None
    assert profile.outlook.time_left_s == 6.0 * profile.outlook.num_more
    assert profile.job.message.startswith("2 windows measured, repeat ")
    assert profile.job.message.endswith(" s more")
    await device.work()
    assert (await look(api, job_id)).outlook is None


async def test_windows_of_a_cancelled_profile_count_for_the_next(
    api: Api, device: SyntheticDevice, clock: Clock
) -> None:
    await measure_and_cancel(api, device)
    clock.pass_s(3000)
    job_id = await start(api)
    assert await device.work() == MIN_PROFILE_LEASES - 2
    done = await look(api, job_id)
    assert done.verdict is not None
    assert done.verdict.is_accepted


async def test_kept_windows_are_shown(api: Api, device: SyntheticDevice) -> None:
    await measure_and_cancel(api, device)
    job_id = await start(api)
    await measure(device, 1)
    profile = await look(api, job_id)
    assert profile.outlook is not None
    assert (profile.outlook.num_windows, profile.outlook.num_kept) == (3, 2)
    assert "3 windows measured (2 by the profile before)" in profile.job.message


@pytest.mark.parametrize("case", ["too old", "forced", "other conditions"])
async def test_other_windows_do_not_count(
    api: Api, device: SyntheticDevice, clock: Clock, case: str
) -> None:
    await measure_and_cancel(api, device)
    create = CREATE
    match case:
        case "too old":
            clock.pass_s(3700)
        case "forced":
            create = replace(CREATE, force=True)
        case _:
            create = replace(CREATE, conditions=Conditions("simulated", threads=2))
    await start(api, create)
    assert await device.work() == MIN_PROFILE_LEASES


async def test_windows_of_another_agent_version_do_not_count(api: Api, device: SyntheticDevice) -> None:
    job_id = await start(api)
    lease = await device.lease()
    assert lease is not None
    await answer(device, [replace(result, agent_version="older") for result in lease_results(lease)])
    await api.post(f"/profiles/{job_id}/cancel")
    await start(api)
    assert await device.work() == MIN_PROFILE_LEASES


async def test_a_throttled_device_ends_a_profile_with_the_reason(api: Api, device: SyntheticDevice) -> None:
    job_id = await start(api)
    for _ in range(MAX_LOST_WINDOWS):
        lease = await device.lease()
        assert lease is not None
        await answer(device, lost_results(lease))
    assert await device.lease() is None
    failed = await look(api, job_id)
    assert failed.job.status == "failed"
    assert failed.snapshot is None
    assert "windows gave no numbers: throttled: takes 1.4 times its best" in failed.job.message
    assert "profile again" in failed.job.message


async def test_a_sustained_profile_loads_the_device_before(api: Api, device: SyntheticDevice) -> None:
    await start(api, replace(CREATE, conditions=Conditions("simulated", thermal="sustained")))
    warmups_s = []
    for _ in range(2):
        lease = await device.lease()
        assert lease is not None
        warmups_s.append(lease.policy.warmup_s)
        await answer(device, lease_results(lease))
    assert warmups_s == [SUSTAINED_WARMUP_S, SUSTAINED_REWARM_S]


async def measure_and_cancel(api: Api, device: SyntheticDevice) -> None:
    job_id = await start(api)
    await measure(device, 2)
    await api.post(f"/profiles/{job_id}/cancel")
