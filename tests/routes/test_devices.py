"""Enrolment, names, renewal, removal."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import anyio
import pytest
from sqlalchemy import text

from search_server.db.session import Database
from search_server.devices.registry import enrol
from search_server.errors import UnauthenticatedError
from search_server.profiling.measurements import request_measurement
from search_server.resources.devices import DeviceUpdate
from search_server.resources.latencies import MeasurementCreate
from search_server.tokens import Caller, Scope, create_enrolment, revoke_token
from shared.protocol.device import DeviceCreate, Environment, RuntimeInfo
from shared.protocol.measurement import Heartbeat, LeaseRequest
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice, device_facts

pytestmark = pytest.mark.anyio


async def test_names_are_made_unique(api: Api) -> None:
    for _ in range(3):
        await SyntheticDevice.enrol(api, "raspi")
    items = (await api.get("/devices"))["items"]
    assert [item["name"] for item in items] == ["raspi-3", "raspi-2", "raspi"]


async def test_enrolment_token_works_once(api: Api) -> None:
    token = api.make_token("enrol", None)
    await api.post("/devices", DeviceCreate(device_facts("a")), token=token)
    error = await api.refused("POST", "/devices", DeviceCreate(device_facts("b")), token=token)
    assert (error.status, error.type) == (401, "unauthenticated")
    assert "works once" in error.detail


async def test_enrolment_token_expires(api: Api, clock: Clock) -> None:
    token = api.make_token("enrol", timedelta(hours=1))
    clock.pass_s(3600)
    error = await api.refused("POST", "/devices", DeviceCreate(device_facts("a")), token=token)
    assert "expired" in error.detail


async def test_device_renews_its_credential(api: Api, device: SyntheticDevice, clock: Clock) -> None:
    renewed = await api.post("/devices", DeviceCreate(device_facts("raspi")), token=device.token)
    assert renewed["device_id"] == device.device_id
    assert len((await api.get("/devices"))["items"]) == 1
    clock.pass_s(7 * 86_400)
    await api.post("/agent/heartbeat", Heartbeat(), token=device.token)
    await api.post("/agent/heartbeat", Heartbeat(), token=renewed["token"])
    await api.refused("POST", "/agent/heartbeat", Heartbeat(), token=device.token)


async def test_heartbeat_tells_how_the_device_is(api: Api, device: SyntheticDevice, clock: Clock) -> None:
    beat = Heartbeat(environment=Environment(temperature_c=48.5))
    reply = await api.post("/agent/heartbeat", beat, token=device.token)
    assert reply["cancel"] is False
    shown = await api.get("/devices/raspi")
    assert (shown["is_online"], shown["environment"]["temperature_c"]) == (True, 48.5)
    assert "agent_token" not in shown
    clock.pass_s(61)
    assert (await api.get(f"/devices/{device.device_id}"))["is_online"] is False


@pytest.mark.usefixtures("device")
async def test_rename_to_a_taken_name_is_refused(api: Api) -> None:
    await SyntheticDevice.enrol(api, "other")
    error = await api.refused("PATCH", "/devices/other", DeviceUpdate(name="raspi"))
    assert (error.status, error.type) == (409, "name_taken")
    renamed = await api.send(
        "PATCH", "/devices/other", DeviceUpdate(name="pixel", agent_url="http://10.0.0.2")
    )
    assert renamed.json()["name"] == "pixel"
    assert renamed.json()["agent_url"] == "http://10.0.0.2"


async def test_removed_device_is_gone_at_once(api: Api, device: SyntheticDevice) -> None:
    job = await api.post("/measurements", MeasurementCreate("raspi", "fbnet-tiny", ("skip",), SIMULATED))
    assert (await api.send("DELETE", "/devices/raspi")).status_code == 204
    assert (await api.refused("POST", "/agent/heartbeat", Heartbeat(), token=device.token)).status == 401
    error = await api.refused("GET", "/devices/raspi")
    assert (error.status, error.type) == (404, "unknown_device")
    cancelled = await api.get(f"/measurements/{job['job']['job_id']}")
    assert cancelled["job"]["status"] == "cancelled"
    again = await SyntheticDevice.enrol(api, "raspi")
    assert (await api.get("/devices/raspi"))["device_id"] == again.device_id


@pytest.mark.usefixtures("device")
async def test_waiting_job_says_when_its_device_was_seen(api: Api, clock: Clock) -> None:
    job = await api.post("/measurements", MeasurementCreate("raspi", "fbnet-tiny", ("skip",), SIMULATED))
    clock.pass_s(180)
    shown = await api.get(f"/measurements/{job['job']['job_id']}")
    assert shown["job"]["status"] == "queued"
    assert shown["job"]["message"].startswith("waiting for device raspi, last seen 3 min ago")


async def test_pipeline_can_ask_for_measurements(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    store = api.app.state.context.store
    with database.transaction() as session:
        job_id = request_measurement(
            session, store, device.device_id, "fbnet-tiny", ("skip",), SIMULATED, None, clock()
        )
    assert await device.work() == 2
    assert len((await api.get(f"/measurements/{job_id}"))["latencies"]) == 1


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize(
    "name", ["", "a/b", "..", ".hidden", " x", "x ", "x\n", "über", "x" * 101, "a?b#c"]
)
async def test_names_that_cannot_stand_in_a_path_are_refused(api: Api, name: str) -> None:
    error = await api.refused("PATCH", "/devices/raspi", DeviceUpdate(name=name))
    assert (error.status, error.errors[0].path) == (422, "body.name")
    assert "1 to 100 characters" in error.detail


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("name", ["Pixel 3", "pi-4_b.local", "x" * 100])
async def test_names_that_people_give_are_taken(api: Api, name: str) -> None:
    assert (await api.send("PATCH", "/devices/raspi", DeviceUpdate(name=name))).status_code == 200
    assert (await api.get(f"/devices/{name}"))["name"] == name


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("lab/pi 4", "lab-pi 4"),
        ("José's", "Jose-s"),
        ("../x", "x"),
        ("日本", "device"),
        ("x" * 120, "x" * 100),
    ],
)
async def test_enrolment_makes_names_fit(api: Api, name: str, normal: str) -> None:
    for _ in range(2):
        await SyntheticDevice.enrol(api, name)
    shown = {item["name"] for item in (await api.get("/devices"))["items"]}
    assert shown == {normal, f"{normal[:98]}-2"}
    assert (await api.get(f"/devices/{normal}"))["name"] == normal


async def test_an_agent_that_starts_with_other_runtimes_renews_what_is_known_of_it(
    api: Api, device: SyntheticDevice
) -> None:
    now = replace(device_facts("renamed"), runtimes=(RuntimeInfo("litert", "2.3.0"),))
    await api.send("POST", "/agent/lease", LeaseRequest(device=now), token=device.token)
    known = await api.get(f"/devices/{device.name}")
    assert [runtime["name"] for runtime in known["device"]["runtimes"]] == ["litert"]
    assert known["name"] == device.name


async def test_a_renewal_whose_answer_was_lost_is_made_again(api: Api, device: SyntheticDevice) -> None:
    create = DeviceCreate(device_facts("raspi"))
    lost = (await api.post("/devices", create, token=device.token))["token"]
    second = (await api.post("/devices", create, token=device.token))["token"]
    assert "not known" in (await api.refused("POST", "/agent/heartbeat", Heartbeat(), token=lost)).detail
    third = (await api.post("/devices", create, token=second))["token"]
    await api.refused("POST", "/devices", create, token=device.token)
    await api.post("/agent/heartbeat", Heartbeat(), token=third)


async def test_revoking_a_token_revokes_what_came_from_it(
    api: Api, database: Database, clock: Clock
) -> None:
    create = DeviceCreate(device_facts("raspi"))
    chain = [api.make_token("enrol", None)]
    for _ in range(2):
        chain.append((await api.post("/devices", create, token=chain[-1]))["token"])
    other = await SyntheticDevice.enrol(api, "other")

    def revoke(text: str) -> None:
        with database.transaction() as session:
            revoke_token(session, text.split("_")[2], clock())

    revoke(chain[2])
    await api.post("/agent/heartbeat", Heartbeat(), token=chain[1])
    for later in chain[2:]:
        assert "revoked" in (await api.refused("POST", "/agent/heartbeat", Heartbeat(), token=later)).detail
    revoke(chain[0])
    await api.refused("POST", "/agent/heartbeat", Heartbeat(), token=chain[1])
    await api.post("/agent/heartbeat", Heartbeat(), token=other.token)


@pytest.mark.parametrize("scope", ["device", "enrol", "user"])
async def test_a_request_that_came_before_its_token_was_revoked_makes_no_token_after(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock, scope: Scope
) -> None:
    text = device.token if scope == "device" else api.make_token(scope, None)
    let_in = Caller(text.split("_")[2], scope, device.device_id if scope == "device" else None)
    with database.transaction() as session:
        revoke_token(session, let_in.token_id, clock())

    def make() -> None:
        with database.transaction() as session:
            if scope == "user":
                create_enrolment(session, let_in, clock())
            else:
                enrol(session, let_in, DeviceCreate(device_facts("other")), clock())

    with pytest.raises(UnauthenticatedError, match="revoked"):
        make()
    assert [item["name"] for item in (await api.get("/devices"))["items"]] == ["raspi"]


@pytest.mark.parametrize("database_kind", ["postgresql"])  # SQLite has one writer at a time
async def test_a_credential_that_is_renewed_while_its_device_is_removed_ends_with_it(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    let_in = Caller(device.token.split("_")[2], "device", device.device_id)
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    def num_waiting() -> int:
        with database.reading() as session:
            return int(session.scalar(waiting) or 0)

    with database.transaction() as session:
        renewed = enrol(session, let_in, DeviceCreate(device_facts("raspi")), clock())
        removal = asyncio.create_task(api.send("DELETE", "/devices/raspi", timeout=60))
        with anyio.fail_after(60):
            while not num_waiting():
                await asyncio.sleep(0)
    assert (await removal).status_code == 204
    refused = await api.refused("POST", "/agent/heartbeat", Heartbeat(), token=renewed.token)
    assert "revoked" in refused.detail


@pytest.mark.usefixtures("device")
async def test_what_an_agent_is_called_with_fits_into_the_database(api: Api) -> None:
    change = {"agent_url": "http://10.0.0.1:8765", "agent_token": "t" * 500}
    assert (await api.send("PATCH", "/devices/raspi", change)).status_code == 200
    for name, value in (
        ("agent_token", "t" * 501),
        ("agent_url", "http://" + "a." * 247 + "de"),
        ("agent_url", "http://0177.0.0.1"),
        ("agent_url", "http://10.0.0.1/v1/device"),
    ):
        error = await api.refused("PATCH", "/devices/raspi", {name: value})
        assert (error.status, error.errors[0].path) == (422, f"body.{name}")
    assert (await api.get("/devices/raspi"))["agent_url"] == "http://10.0.0.1:8765"


async def test_tags_choose_devices(api: Api) -> None:
    for name, tags in (("a", ("kitchen", "arm")), ("b", ("kitchen",)), ("c", ())):
        create = DeviceCreate(device_facts(name), tags=tags)
        await api.post("/devices", create, token=api.make_token("enrol", None))

    async def tagged(tag: str) -> list[str]:
        return [item["name"] for item in (await api.get(f"/devices?tag={tag}"))["items"]]

    assert await tagged("kitchen") == ["b", "a"]
    change = DeviceUpdate(add_tags=("old", "kitchen"), remove_tags=("arm", "never-there"))
    changed = await api.send("PATCH", "/devices/a", change)
    assert changed.json()["tags"] == ["kitchen", "old"]
    assert await tagged("arm") == []
    assert (await api.send("DELETE", "/devices/a")).status_code == 204
    assert await tagged("kitchen") == ["b"]


@pytest.mark.usefixtures("device")
async def test_tags_are_few_and_short(api: Api) -> None:
    for tag in ("", "Kitchen", "a b", "-x", "x" * 33):
        error = await api.refused("PATCH", "/devices/raspi", DeviceUpdate(add_tags=(tag,)))
        assert (error.status, error.errors[0].path) == (422, "body.add_tags")
    for first in (0, 16):
        tags = tuple(f"t{number}" for number in range(first, first + 16))
        assert (await api.send("PATCH", "/devices/raspi", DeviceUpdate(add_tags=tags))).status_code == 200
    error = await api.refused("PATCH", "/devices/raspi", DeviceUpdate(add_tags=("one-more",)))
    assert (error.status, error.type) == (422, "too_many_tags")
