"""More writers at once than the server has threads: each gets its turn."""

import asyncio
from inspect import iscoroutinefunction, signature

import httpx
import pytest
from fastapi.routing import APIRoute

from search_server.app import ROUTERS
from search_server.routes.transaction_route import TransactionRoute
from shared.protocol.device import DeviceCreate
from shared.protocol.measurement import LeaseRequest
from tests.search_server.api import Api
from tests.search_server.synthetic import device_facts

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


def test_no_transaction_leaves_its_thread() -> None:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    with_session = [route for route in routes if "session" in signature(route.endpoint).parameters]
    assert len(with_session) > 20
    for route in with_session:
        assert isinstance(route, TransactionRoute), route.path
        assert not iscoroutinefunction(route.endpoint), route.path
