"""A dry run says of a search what submitting it would say, and leaves nothing behind."""

from dataclasses import replace

import pytest

from search_server.db.session import Database
from search_server.resources.searches import SearchCreate
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SyntheticDevice
from tests.search_server.tables import known_table, store_known_table

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


@pytest.fixture
def create(device: SyntheticDevice, database: Database, clock: Clock) -> SearchCreate:
    """A request that is right."""
    with database.transaction() as session:
        store_known_table(session, device.device_id, clock())
    fastest_us, slowest_us = known_table(device.device_id).latency_range_us()
    return SearchCreate("raspi", "fbnet-tiny", "digits", target_ms=(fastest_us + slowest_us) / 2000)


async def test_it_tells_the_table_and_its_range_and_queues_nothing(
    api: Api, create: SearchCreate, device: SyntheticDevice
) -> None:
    plan = await api.post("/searches/dry-run", create)
    table = known_table(device.device_id)
    assert plan["snapshot"] == table.snapshot
    assert (plan["fastest_us"], plan["slowest_us"]) == table.latency_range_us()
    assert plan["request"]["epochs"] == 20  # the default stands in it
    assert (await api.get("/searches"))["items"] == []
    assert (await api.get("/audit", token=api.make_token("admin", None)))["items"][0][
        "action"
    ] == "POST /devices"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"target_ms": 1e-6}, "body.target_ms"),
        ({"space": "fbnet-tniy"}, "body.space"),
        ({"data": "digts"}, "body.data"),
        ({"device": "nobody"}, None),
        ({"snapshot": "0" * 16}, None),
    ],
)
async def test_it_refuses_as_submitting_does_and_names_the_field(
    api: Api, create: SearchCreate, changes: dict[str, object], path: str | None
) -> None:
    wrong = replace(create, **changes)  # type: ignore[arg-type]  # whatever a parameter changes
    refusal = await api.refused("POST", "/searches/dry-run", wrong)
    assert refusal == await api.refused("POST", "/searches", wrong)
    assert [error.path for error in refusal.errors] == ([path] if path else [])
