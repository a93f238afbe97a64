"""The trend of a device: one value a window, as its agent told it, the newest windows only."""

from dataclasses import replace

import pytest

from search_server.resources.latencies import MeasurementCreate
from shared.protocol.device import Environment
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice, lease_results

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


async def test_it_has_the_newest_windows_in_their_order(api: Api, device: SyntheticDevice) -> None:
    told = [(100.0, 40.0), (110.0, 45.0), (None, 50.0)]
    for canary_us, temperature_c in told:
        lease = await device.lease()
        if lease is None:
            await api.post("/measurements", MeasurementCreate("raspi", "fbnet-tiny", ("skip",), SIMULATED))
            lease = await device.lease()
        assert lease is not None
        for result in lease_results(lease):
            after = Environment(temperature_c=temperature_c)
            await device.post(replace(result, canary_us=canary_us, environment_after=after))
    trend = await api.get("/devices/raspi/trend")
    assert list(zip(trend["canary_us"], trend["temperature_c"], strict=True)) == [
        (100.0, 40.0),
        (110.0, 45.0),
        (None, 50.0),
    ]
    assert trend["measured_at"] == sorted(trend["measured_at"])
    newest = await api.get("/devices/raspi/trend?windows=2")
    assert newest["canary_us"] == [110.0, None]


async def test_a_device_that_has_measured_nothing_has_none(api: Api, device: SyntheticDevice) -> None:
    assert await api.get(f"/devices/{device.device_id}/trend") == {
        "measured_at": [],
        "canary_us": [],
        "temperature_c": [],
    }
