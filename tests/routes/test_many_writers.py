"""More writers at once than the server has threads: each gets its turn."""

import asyncio
from inspect import iscoroutinefunction, signature

import httpx
import pytest
from fastapi.routing import APIRoute

from search_server.app import ROUTERS
from search_server.resources.latencies import MeasurementCreate
from search_server.routes.transaction_route import TransactionRoute
from shared.protocol.device import DeviceCreate
from shared.protocol.measurement import Heartbeat, LeaseRequest
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice, device_facts

pytestmark = pytest.mark.anyio

NUM_AGENTS = 60
"""The server has 40 threads."""


async def test_enrolments_and_polls_of_many_agents_all_succeed(api: Api) -> None:
    tokens = [api.make_token("enrol", None) for _ in range(NUM_AGENTS)]

    async def enrol(number: int) -> httpx.Response:
        create = DeviceCreate(device_facts(f"device-{number}"))
        return await api.send("POST", "/devices", create, token=tokens[number], timeout=60)

    async def poll(token: str) -> httpx.Response:
        return await api.send("POST", "/agent/lease", LeaseRequest(), token=token, timeout=60)

    enrolled = await asyncio.gather(*map(enrol, range(NUM_AGENTS)))
    assert [response.status_code for response in enrolled] == [201] * NUM_AGENTS
    credentials = [response.json()["token"] for response in enrolled]
    polls = await asyncio.gather(*map(poll, credentials))
    assert [response.status_code for response in polls] == [204] * NUM_AGENTS
    assert len((await api.get("/devices"))["items"]) == NUM_AGENTS


async def test_devices_of_one_name_that_enrol_at_once_get_names_of_their_own(api: Api) -> None:
    tokens = [api.make_token("enrol", None) for _ in range(12)]
    create = DeviceCreate(device_facts("raspi"))
    answers = [api.send("POST", "/devices", create, token=token, timeout=60) for token in tokens]
    assert [answer.status_code for answer in await asyncio.gather(*answers)] == [201] * 12
    names = {item["name"] for item in (await api.get("/devices"))["items"]}
    assert names == {"raspi", *(f"raspi-{number}" for number in range(2, 13))}


async def test_a_key_that_comes_several_times_at_once_makes_one_job(
    api: Api, device: SyntheticDevice
) -> None:
    create = MeasurementCreate(device.name, "fbnet-tiny", ("skip",), SIMULATED)
    headers = {"Idempotency-Key": "one"}
    asked = [api.send("POST", "/measurements", create, headers=headers, timeout=60) for _ in range(12)]
    answers = await asyncio.gather(*asked)
    assert [answer.status_code for answer in answers] == [201] * 12
    assert len({answer.json()["job"]["job_id"] for answer in answers}) == 1


async def test_jobs_that_come_at_once_keep_their_user_s_limit(api: Api, device: SyntheticDevice) -> None:
    create = MeasurementCreate(device.name, "fbnet-tiny", ("skip",), SIMULATED)
    limit = api.app.state.context.max_queued_jobs
    asked = [api.send("POST", "/measurements", create, timeout=60) for _ in range(limit + 12)]
    answers = await asyncio.gather(*asked)
    assert sorted(answer.status_code for answer in answers) == [201] * limit + [429] * 12


async def test_of_all_who_cancel_a_job_at_once_one_has_cancelled_it(
    api: Api, device: SyntheticDevice
) -> None:
    create = MeasurementCreate(device.name, "fbnet-tiny", ("skip",), SIMULATED)
    job_id = (await api.post("/measurements", create))["job"]["job_id"]
    asked = [api.send("POST", f"/measurements/{job_id}/cancel", timeout=60) for _ in range(12)]
    answers = await asyncio.gather(*asked)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 11


async def test_of_the_renewals_of_a_credential_that_come_at_once_the_last_counts(
    api: Api, device: SyntheticDevice
) -> None:
    create = DeviceCreate(device_facts(device.name))
    asked = [api.send("POST", "/devices", create, token=device.token, timeout=60) for _ in range(8)]
    answers = await asyncio.gather(*asked)
    assert [answer.status_code for answer in answers] == [201] * 8
    beats = [
        await api.send("POST", "/agent/heartbeat", Heartbeat(), token=answer.json()["token"])
        for answer in answers
    ]
    assert sorted(beat.status_code for beat in beats) == [200] + [401] * 7


def test_no_transaction_leaves_its_thread() -> None:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    with_session = [route for route in routes if "session" in signature(route.endpoint).parameters]
    assert len(with_session) > 20
    for route in with_session:
        assert isinstance(route, TransactionRoute), route.path
        assert not iscoroutinefunction(route.endpoint), route.path
