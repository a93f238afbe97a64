"""What the server asks of devices between leases, and what a device says that it waits for."""

from dataclasses import replace

import pytest

from search_server.install.agent_wheel import own_wheel
from search_server.resources.devices import DeviceUpdate
from search_server.resources.latencies import MeasurementCreate
from shared.protocol.device import DeviceCreate
from shared.protocol.measurement import Heartbeat, LeaseRequest
from shared.protocol.wire import to_dict
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice, device_facts

pytestmark = pytest.mark.anyio

UPGRADABLE = replace(device_facts("raspi"), agent_sha256="0" * 64, accepts_upgrade=True)


async def test_rotation_is_asked_for_until_the_credential_is_renewed(
    api: Api, device: SyntheticDevice
) -> None:
    assert not (await api.post("/agent/heartbeat", Heartbeat(), token=device.token))["rotate"]
    assert (await api.post("/devices/raspi/rotate"))["should_rotate"]
    for _ in range(2):
        assert (await api.post("/agent/heartbeat", Heartbeat(), token=device.token))["rotate"]
    renewed = await api.post("/devices", DeviceCreate(device_facts("raspi")), token=device.token)
    assert not (await api.post("/agent/heartbeat", Heartbeat(), token=renewed["token"]))["rotate"]
    assert not (await api.get("/devices/raspi"))["should_rotate"]


async def test_an_old_credential_is_renewed_by_itself(
    api: Api, device: SyntheticDevice, clock: Clock
) -> None:
    clock.pass_s(89 * 86_400)
    assert not (await api.post("/agent/heartbeat", Heartbeat(), token=device.token))["rotate"]
    clock.pass_s(86_400)
    assert (await api.post("/agent/heartbeat", Heartbeat(), token=device.token))["rotate"]


async def test_an_owner_who_allowed_no_upgrade_gets_none(api: Api, device: SyntheticDevice) -> None:
    error = await api.refused("POST", "/devices/raspi/upgrade")
    assert (error.status, error.type) == (409, "upgrade_not_allowed")
    assert "edgenas devices add" in error.detail
    assert (await api.post("/agent/heartbeat", Heartbeat(), token=device.token))["upgrade"] is None


async def test_an_agent_is_asked_to_upgrade_until_it_is_the_servers(
    api: Api, device: SyntheticDevice
) -> None:
    await api.send("POST", "/agent/lease", LeaseRequest(device=UPGRADABLE), token=device.token)
    assert (await api.post("/devices/raspi/upgrade"))["should_upgrade"]
    reply = await api.post("/agent/heartbeat", Heartbeat(), token=device.token)
    assert reply["upgrade"] == to_dict(own_wheel())
    failed = Heartbeat(upgrade_failure="pip ended with status 1")
    assert (await api.post("/agent/heartbeat", failed, token=device.token))["upgrade"] is None
    assert (await api.get("/devices/raspi"))["upgrade_failure"] == "pip ended with status 1"
    assert (await api.post("/devices/raspi/upgrade"))["upgrade_failure"] == ""
    now = replace(UPGRADABLE, agent_sha256=own_wheel().sha256)
    await api.send("POST", "/agent/lease", LeaseRequest(device=now), token=device.token)
    assert not (await api.get("/devices/raspi"))["should_upgrade"]
    assert not (await api.post("/devices/raspi/upgrade"))["should_upgrade"]


@pytest.mark.usefixtures("device")
async def test_an_agent_that_the_server_calls_is_asked_for_nothing(api: Api) -> None:
    await api.send("PATCH", "/devices/raspi", DeviceUpdate(agent_url="http://10.0.0.2"))
    for errand in ("rotate", "upgrade"):
        error = await api.refused("POST", f"/devices/raspi/{errand}")
        assert (error.status, error.type) == (409, "agent_is_called")


async def test_a_device_that_waits_gets_no_lease_and_its_jobs_say_why(
    api: Api, device: SyntheticDevice
) -> None:
    job = await api.post("/measurements", MeasurementCreate("raspi", "fbnet-tiny", ("skip",), SIMULATED))
    path = f"/measurements/{job['job']['job_id']}"
    waits = LeaseRequest(waiting_for="charging, night (22:00 to 07:00)")
    answer = await api.send("POST", "/agent/lease?wait=50", waits, token=device.token)
    assert answer.status_code == 204
    assert (await api.get("/devices/raspi"))["waiting_for"] == waits.waiting_for
    shown = (await api.get(path))["job"]
    assert (shown["status"], shown["message"]) == (
        "queued",
        "waiting for device raspi, which waits for: charging, night (22:00 to 07:00)",
    )
    assert await device.lease() is not None
    assert (await api.get("/devices/raspi"))["waiting_for"] == ""


async def test_what_is_asked_comes_before_the_next_lease(api: Api, device: SyntheticDevice) -> None:
    await api.post("/measurements", MeasurementCreate("raspi", "fbnet-tiny", ("skip",), SIMULATED))
    await api.post("/devices/raspi/rotate")
    path, request = "/agent/lease?wait=50", LeaseRequest(does_errands=True)
    assert (await api.send("POST", path, request, token=device.token)).status_code == 204
    renewed = await api.post("/devices", DeviceCreate(device_facts("raspi")), token=device.token)
    assert (await api.send("POST", path, request, token=renewed["token"])).status_code == 200


async def test_an_agent_that_knows_no_errands_gets_its_leases(api: Api, device: SyntheticDevice) -> None:
    await api.post("/measurements", MeasurementCreate("raspi", "fbnet-tiny", ("skip",), SIMULATED))
    await api.post("/devices/raspi/rotate")
    assert await device.lease() is not None
