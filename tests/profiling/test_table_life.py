"""The life of a table: checked, rescaled, recalibrated by measured networks, stale, measured again."""

from typing import Any

import pytest

from search_server.resources.latencies import MeasurementCreate, PredictionCreate
from search_server.resources.tables import ProfileCreate
from shared.search_space import search_space
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice, lease_results

pytestmark = pytest.mark.anyio
SPACE = "fbnet-tiny"
BLOCKS = search_space(SPACE).candidates


async def profile(api: Api, device: SyntheticDevice, slowdown: float = 1.0) -> str:
    job = await api.post("/profiles", ProfileCreate(device.name, SPACE, SIMULATED))
    await device.work(slowdown)
    snapshot: str = (await api.get(f"/profiles/{job['job']['job_id']}"))["snapshot"]
    return snapshot


async def check(api: Api, device: SyntheticDevice, snapshot: str, **behaviour: float) -> dict[str, Any]:
    """Check a table on the device as it is now; return what was found."""
    asked = await api.post(f"/latency-tables/{snapshot}/checks")
    num_leases = await device.work(**behaviour)
    done = await api.get(f"/checks/{asked['job']['job_id']}")
    assert done["job"]["status"] == "done", done["job"]["message"]
    drift: dict[str, Any] = done["drift"]
    assert num_leases == (
        4 if drift["outcome"] == "stale" else 2
    )  # a table that looks stale gets a second look
    return drift


async def summary(api: Api, snapshot: str) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get(f"/latency-tables/{snapshot}"))["summary"]
    return found


async def measure(api: Api, device: SyntheticDevice, blocks: tuple[str, ...], **behaviour: float) -> Any:
    asked = await api.post("/measurements", MeasurementCreate("raspi", SPACE, blocks, SIMULATED))
    await device.work(**behaviour)
    return (await api.get(f"/measurements/{asked['job']['job_id']}"))["latencies"]


async def test_a_check_rescales_a_table_whose_level_moved(api: Api, device: SyntheticDevice) -> None:
    first = await profile(api, device)
    assert (await summary(api, first))["lineage"] == {"reason": "profiled", "parent": None, "change": ""}
    steady = await check(api, device, first, slowdown=1.04)
    assert (steady["outcome"], steady["rescaled_to"]) == ("unchanged", None)
    moved = await check(api, device, first, slowdown=1.2)
    assert moved["outcome"] == "rescaled"
    assert moved["level"] == pytest.approx(0.2)
    assert moved["structure"] == pytest.approx(0, abs=1e-4)
    second = await summary(api, moved["rescaled_to"])
    assert second["lineage"] == {"reason": "rescaled", "parent": first, "change": "level +20.0 %"}
    assert (await summary(api, first))["superseded_by"] == second["snapshot"]
    predicted = await api.post("/predictions", PredictionCreate("raspi", SPACE, ("k3_e6",), SIMULATED))
    assert predicted[0]["snapshot"] == second["snapshot"]
    older = await api.refused("POST", f"/latency-tables/{first}/checks")
    assert (older.status, older.type) == (409, "table_not_newest")
    listed = await api.get(f"/checks?snapshot={first}")
    assert [each["drift"]["outcome"] for each in listed["items"]] == ["rescaled", "unchanged"]
    assert (await check(api, device, second["snapshot"]))["rescaled_to"] == first
    assert ((await summary(api, first))["superseded_by"], second["lineage"]["parent"]) == (None, first)
    assert (await check(api, device, first))["outcome"] == "unchanged"


async def test_a_stale_table_is_used_no_more_and_measured_again(api: Api, device: SyntheticDevice) -> None:
    first = await profile(api, device)
    stale = await check(api, device, first, network_slowdown=1.06)
    assert (stale["outcome"], stale["structure"]) == ("stale", pytest.approx(0.06, abs=1e-4))
    asked = PredictionCreate("raspi", SPACE, ("k3_e6",), SIMULATED)
    refused = await api.refused("POST", "/predictions", asked)
    assert "structure +6.0 %; measure one: edgenas profile -d raspi" in refused.detail
    named = PredictionCreate("raspi", SPACE, ("k3_e6",), SIMULATED, first)
    assert (await api.post("/predictions", named))[0]["snapshot"] == first
    assert await profile(api, device) == first
    assert (await api.post("/predictions", asked))[0]["snapshot"] == first
    await check(api, device, first, network_slowdown=1.06)
    second = await profile(api, device, slowdown=1.5)
    lineage = (await summary(api, second))["lineage"]
    assert (lineage["reason"], lineage["parent"]) == ("profiled", first)
    assert lineage["change"] == "level +50.0 %, the median entry moved by 0.0 %"
    assert (await api.post("/predictions", asked))[0]["snapshot"] == second


async def test_a_busy_moment_does_not_take_a_table_out_of_use(api: Api, device: SyntheticDevice) -> None:
    snapshot = await profile(api, device)
    asked = await api.post(f"/latency-tables/{snapshot}/checks")
    for slowdown in (1.06, 1.06, 1.0, 1.0):  # networks are slower while the first two leases run
        lease = await device.lease()
        assert lease is not None
        for result in lease_results(lease, network_slowdown=slowdown):
            await device.post(result)
    done = await api.get(f"/checks/{asked['job']['job_id']}")
    assert (done["job"]["status"], done["drift"]["outcome"]) == ("done", "unchanged")
    assert await device.lease() is None


async def test_measured_networks_stand_beside_predictions_and_recalibrate(
    api: Api, device: SyntheticDevice
) -> None:
    first = await profile(api, device)
    few = await measure(api, device, BLOCKS[:4], network_slowdown=0.96)
    assert few[0]["prediction"]["snapshot"] == first
    assert few[0]["latency_us"] / few[0]["prediction"]["latency_us"] == pytest.approx(0.96, rel=1e-4)
    refused = await api.refused("POST", f"/latency-tables/{first}/recalibrations")
    assert (refused.status, refused.type) == (409, "not_recalibrated")
    assert "4 different networks are measured, 5 are needed" in refused.detail
    await measure(api, device, BLOCKS[:6], network_slowdown=0.96, slowdown=2.0)
    made = await api.post(f"/latency-tables/{first}/recalibrations")
    assert (made["factor"], made["num_networks"]) == (pytest.approx(0.96, rel=1e-4), 6)
    second = await summary(api, made["snapshot"])
    assert second["lineage"]["parent"] == first
    assert second["lineage"]["change"] == "entries x 0.9600 +- 0.0000, by 6 measured networks"
    again = await measure(api, device, BLOCKS[:1], network_slowdown=0.96)
    assert again[0]["latency_us"] == pytest.approx(again[0]["prediction"]["latency_us"], rel=1e-3)
    nothing = await api.refused("POST", f"/latency-tables/{made['snapshot']}/recalibrations")
    assert "nothing to do" in nothing.detail
    # A check still compares with the profile, from which recalibration moved away on purpose.
    assert (await check(api, device, made["snapshot"]))["outcome"] == "unchanged"


async def test_a_check_that_cannot_measure_says_why(api: Api, device: SyntheticDevice) -> None:
    first = await profile(api, device)
    asked = await api.post(f"/latency-tables/{first}/checks")
    cancelled = await api.post(f"/checks/{asked['job']['job_id']}/cancel")
    assert (cancelled["job"]["status"], cancelled["drift"]) == ("cancelled", None)
    assert (await summary(api, first))["drift"] is None
    imported = await api.send("GET", f"/latency-tables/{first}?format=json")
    copy = await api.send(
        "POST", "/latency-tables/import?format=json&device=shelf", content=imported.content
    )
    shelved = copy.json()["summary"]
    assert shelved["lineage"]["reason"] == "imported"
    refused = await api.refused("POST", f"/latency-tables/{shelved['snapshot']}/checks")
    assert refused.type == "device_has_no_agent"


async def test_a_table_serves_other_numbers_of_classes(api: Api, device: SyntheticDevice) -> None:
    snapshot = await profile(api, device)
    asked = PredictionCreate("raspi", f"{SPACE}:classes=3", ("k3_e6",), SIMULATED)
    (predicted,) = await api.post("/predictions", asked)
    lineage = (await summary(api, predicted["snapshot"]))["lineage"]
    assert (lineage["reason"], lineage["parent"]) == ("head scaled", snapshot)
    assert "of 10 classes times 0." in lineage["change"]
    (again,) = await api.post("/predictions", asked)
    assert again["snapshot"] == predicted["snapshot"]
