"""Quotas: who asks too much is told which limit it is and when to come again; agents never are."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from search_server.rates import RateLimit
from shared.protocol.measurement import Heartbeat
from tests.client.served import table
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SyntheticDevice

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


def test_a_bucket_holds_its_amount_and_fills_evenly() -> None:
    limit = RateLimit(60, 60)  # one a second
    assert [limit.take("a", 20, NOON) for _ in range(4)] == [0, 0, 0, 20]
    assert limit.take("b", 60, NOON) == 0
    assert limit.take("a", 20, NOON + timedelta(seconds=15)) == 5
    assert limit.take("a", 20, NOON + timedelta(seconds=20)) == 0
    assert limit.take("b", 1000, NOON + timedelta(seconds=59)) == 1  # as much as there is of a full bucket
    assert limit.take("b", 1000, NOON + timedelta(seconds=60)) == 0
    assert RateLimit(0, 60).take("a", 10**9, NOON) == 0


async def test_a_token_that_asks_too_often_waits_and_others_do_not(
    api: Api, device: SyntheticDevice, clock: Clock
) -> None:
    state = api.app.state
    state.context = replace(state.context, requests=RateLimit(3, 60))
    for _ in range(3):
        await api.get("/devices")
    refused = await api.send("GET", "/devices")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "20")
    assert "EDGENAS_MAX_REQUESTS_PER_MINUTE" in refused.json()["detail"]
    admin = api.make_token("admin", None)
    for _ in range(5):
        await api.post("/agent/heartbeat", Heartbeat(), token=device.token)
        await api.get("/devices", token=admin)
    await api.get("/devices", token=api.make_token("user", None))
    clock.pass_s(20)
    await api.get("/devices")


async def test_a_user_who_sends_too_many_bytes_waits(api: Api, clock: Clock) -> None:
    content = table("any").to_json()
    state = api.app.state
    state.context = replace(state.context, imports=RateLimit(1.5 * len(content), 3600))

    async def send(token: str) -> tuple[int, str | None]:
        headers = {"Authorization": f"Bearer {token}"}
        path = "/latency-tables/import?device=shelf"
        answer = await api.http.post(path, headers=headers, content=content)
        return answer.status_code, answer.headers.get("Retry-After")

    assert await send(api.user) == (201, None)
    # Half a file more is wanted than is left: a third of an hour's amount.
    assert await send(api.make_token("user", None)) == (429, "1200")
    assert await send(api.make_token("admin", None)) == (201, None)
    clock.pass_s(1200)
    assert await send(api.user) == (201, None)
