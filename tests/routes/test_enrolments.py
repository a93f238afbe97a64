"""A person asks for an enrolment token: it works once, for an hour, and the device is theirs."""

from datetime import datetime

import pytest

from search_server.db.session import Database
from search_server.people import add_user
from search_server.tokens import create_token, revoke_token
from shared.protocol.device import DeviceCreate
from shared.protocol.measurement import Heartbeat
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import device_facts

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


@pytest.fixture
def alice(database: Database, clock: Clock) -> str:
    with database.transaction() as session:
        add_user(session, "alice", clock())
        return create_token(session, "user", clock(), owner="alice")


def device(name: str = "pi") -> DeviceCreate:
    return DeviceCreate(device_facts(name))


async def test_a_device_enrols_once_with_it_and_is_its_maker_s(api: Api, alice: str) -> None:
    enrolment = await api.post("/enrolments", token=alice)
    await api.post("/devices", device(), token=enrolment["token"])
    assert (await api.get("/devices/pi"))["owner"] == "alice"
    assert (await api.refused("POST", "/devices", device(), token=enrolment["token"])).status == 401


async def test_every_line_holds_the_token_and_the_address(api: Api, alice: str) -> None:
    enrolment = await api.post("/enrolments", token=alice)
    assert enrolment["server_url"] == "http://test"
    for kind in ("board", "phone", "container"):
        assert f"EDGENAS_ENROLMENT_TOKEN={enrolment['token']} " in enrolment[kind]
        assert "http://test" in enrolment[kind]


async def test_it_ends_after_an_hour(api: Api, alice: str, clock: Clock) -> None:
    enrolment = await api.post("/enrolments", token=alice)
    told = datetime.fromisoformat(enrolment["expires_at"])
    assert abs((told - clock.time).total_seconds() - 3600) < 1
    clock.pass_s(3601)
    assert (await api.refused("POST", "/devices", device(), token=enrolment["token"])).status == 401


async def test_what_no_device_has_used_ends_with_the_token_that_asked_for_it(
    api: Api, alice: str, database: Database, clock: Clock
) -> None:
    used, unused = [(await api.post("/enrolments", token=alice))["token"] for _ in range(2)]
    others = (await api.post("/enrolments"))["token"]
    credential = (await api.post("/devices", device(), token=used))["token"]
    with database.transaction() as session:
        revoke_token(session, alice.split("_")[2], clock())
    assert "revoked" in (await api.refused("POST", "/devices", device("thief"), token=unused)).detail
    await api.post("/agent/heartbeat", Heartbeat(), token=credential)
    await api.post("/devices", device("other"), token=others)


async def test_one_user_has_so_many_that_are_open(api: Api, alice: str, clock: Clock) -> None:
    tokens = [(await api.post("/enrolments", token=alice))["token"] for _ in range(20)]
    error = await api.refused("POST", "/enrolments", token=alice)
    assert (error.status, error.type) == (429, "too_many_enrolments")
    await api.post("/enrolments")  # another user is not kept from it
    await api.post("/devices", device(), token=tokens[0])
    await api.post("/enrolments", token=alice)
    assert (await api.refused("POST", "/enrolments", token=alice)).status == 429
    clock.pass_s(3601)
    await api.post("/enrolments", token=alice)


async def test_the_audit_trail_names_the_token_and_not_its_secret(api: Api, alice: str) -> None:
    enrolment = await api.post("/enrolments", token=alice)
    entry = (await api.get("/audit", token=api.make_token("admin", None)))["items"][0]
    assert (entry["user"], entry["action"]) == ("alice", "POST /enrolments")
    assert entry["subject"] == enrolment["token_id"] == enrolment["token"].split("_")[2]
    assert enrolment["token"].split("_", 3)[3] not in str(entry)
