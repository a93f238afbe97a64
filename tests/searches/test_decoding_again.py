"""A front and another target over REST: what is queued, on which tables, and what is refused."""

import pytest

from search_server.db.session import Database
from search_server.jobs.registry import finish_job
from search_server.latency.stored.imports import import_table
from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.searches import SearchCreate
from shared.protocol.wire import to_dict
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SyntheticDevice
from tests.search_server.tables import known_table, store_known_table

pytestmark = pytest.mark.anyio

FOUND = FoundArchitecture("found", "skip,skip", 10, 20, predicted_us=900.0)


@pytest.fixture
def snapshots(device: SyntheticDevice, database: Database, clock: Clock) -> list[str]:
    """Tables of a device, and of one without an agent."""
    with database.transaction() as session:
        first = store_known_table(session, device.device_id, clock())
        content = known_table("", slowdown=3.0).to_json().encode()
        other = import_table(session, content, "json", "shelf", None, clock())
    return [first, other.summary.snapshot]


@pytest.fixture
async def job_id(api: Api, device: SyntheticDevice, snapshots: list[str]) -> str:
    middle_ms = sum(known_table(device.device_id).latency_range_us()) / 2000
    create = SearchCreate("raspi", "fbnet-tiny", "digits", target_ms=middle_ms, snapshot=snapshots[0])
    word: str = (await api.post("/searches", create))["job"]["job_id"]
    return word


async def test_a_front_takes_every_device_that_has_a_table(
    api: Api, job_id: str, database: Database, clock: Clock, snapshots: list[str]
) -> None:
    refused = await api.refused("POST", f"/searches/{job_id}/front", {})
    assert (refused.status, refused.type) == (409, "search_not_done")
    with database.transaction() as session:
        finish_job(session, job_id, clock(), result=to_dict(FOUND))
    front = await api.post(f"/searches/{job_id}/front", {"points": 4})
    request = front["request"]
    assert (request["origin"], request["points"], request["train_epochs"]) == (job_id, 4, 0)
    assert {front["snapshot"], *front["other_snapshots"]} == set(snapshots)
    named = await api.post(f"/searches/{job_id}/front", {"devices": ["shelf"], "training": "scratch"})
    assert (named["request"]["device"], named["request"]["also"]) == ("shelf", [])
    assert (named["request"]["points"], named["request"]["train_epochs"]) == (8, 30)
    assert [named["snapshot"], *named["other_snapshots"]] == snapshots[1:]
    assert front["job"]["status"] == "queued"


async def test_another_target_is_checked_against_the_table_of_its_device(
    api: Api, job_id: str, database: Database, clock: Clock, snapshots: list[str]
) -> None:
    with database.transaction() as session:
        finish_job(session, job_id, clock(), result=to_dict(FOUND))
    fastest_us, slowest_us = known_table("", slowdown=3.0).latency_range_us()
    body = {"device": "shelf", "target_ms": (fastest_us + slowest_us) / 2000}
    search = await api.post(f"/searches/{job_id}/retarget", body)
    assert (search["snapshot"], search["request"]["target_ms"]) == (snapshots[1], body["target_ms"])
    assert (search["request"]["origin"], search["request"]["points"]) == (job_id, None)
    too_slow = {"device": "shelf", "target_ms": slowest_us / 500}
    refused = await api.refused("POST", f"/searches/{job_id}/retarget", too_slow)
    assert (refused.status, refused.type) == (422, "unreachable_target")


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("front", {"points": 1}, "points must lie in 2..12, got 1"),
        ("front", {"training": "always"}, "'none', 'scratch' or 'inherit'"),
        ("retarget", {"target_ms": 0}, "target_ms must be above 0, got 0"),
        ("retarget", {"target_ms": 1, "train_epochs": 0}, "train_epochs must be at least 1, got 0"),
    ],
)
async def test_wrong_values_are_refused_by_name(
    api: Api, job_id: str, path: str, body: dict[str, object], message: str
) -> None:
    error = await api.refused("POST", f"/searches/{job_id}/{path}", body)
    assert error.status == 422
    assert message in error.errors[0].message
