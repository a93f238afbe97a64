"""Agents that do not know the operators of MobileNetV3 are told so; V4 has none that they do not know."""

import pytest

from search_server.db.models import DeviceRow
from search_server.db.session import Database
from search_server.resources.tables import ProfileCreate
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice

pytestmark = pytest.mark.anyio


def speak(database: Database, device: SyntheticDevice, protocol: int) -> None:
    with database.transaction() as session:
        row = session.get_one(DeviceRow, device.device_id)
        row.facts = {**row.facts, "protocol_max": protocol}


async def test_an_old_agent_is_refused_new_operators_and_measures_others(
    api: Api, device: SyntheticDevice, database: Database
) -> None:
    speak(database, device, 2)
    new = ProfileCreate("raspi", "mobilenetv3-tiny", SIMULATED)
    error = await api.refused("POST", "/profiles", new)
    assert (error.status, error.type) == (409, "agent_too_old")
    await api.post("/profiles", ProfileCreate("raspi", "mobilenetv4-tiny", SIMULATED))
    lease = await device.lease()
    assert lease is not None
    assert lease.protocol == 1


async def test_a_new_agent_gets_them_in_a_lease_of_its_protocol(
    api: Api, device: SyntheticDevice, database: Database
) -> None:
    speak(database, device, 3)
    await api.post("/profiles", ProfileCreate("raspi", "mobilenetv3-tiny", SIMULATED))
    lease = await device.lease()
    assert lease is not None
    assert lease.protocol == 3
