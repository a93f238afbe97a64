"""What the agents of the load benchmarks answer is taken by the server as a real agent's results."""

import pytest

from benchmarks.load_agents import simulated_results
from search_server.resources.latencies import MeasurementCreate
from search_server.resources.tables import ProfileCreate
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


async def answer_all(device: SyntheticDevice) -> int:
    num_leases = 0
    while (lease := await device.lease()) is not None:
        for result in simulated_results(lease):
            await device.post(result)
        num_leases += 1
    return num_leases


async def test_a_measurement_ends_with_simulated_latencies(api: Api, device: SyntheticDevice) -> None:
    create = MeasurementCreate("raspi", "fbnet-tiny", ("skip",), SIMULATED)
    measurement = await api.post("/measurements", create)
    assert await answer_all(device) == 2
    measurement = await api.get(f"/measurements/{measurement['job']['job_id']}")
    assert measurement["job"]["status"] == "done"
    (latency,) = measurement["latencies"]
    assert latency["is_simulated"] is True


async def test_the_windows_of_a_profile_are_read(api: Api, device: SyntheticDevice) -> None:
    profile = await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED))
    assert await answer_all(device) >= 6
    profile = await api.get(f"/profiles/{profile['job']['job_id']}")
    assert profile["job"]["status"] in ("done", "failed")
    assert "table" in profile["job"]["message"]
