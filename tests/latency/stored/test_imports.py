"""Tables that others wrote, tables compared, tables as CSV."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from search_server.db.session import Database
from search_server.latency.formats.hw_nas_bench import bundled_hw_nas_bench
from search_server.latency.formats.own_csv import to_csv
from search_server.latency.stored.snapshots import load_table
from search_server.latency.table import LatencyTable
from search_server.resources.latencies import PredictionCreate
from search_server.resources.searches import SearchCreate
from search_server.resources.tables import Table
from shared.protocol.device import Conditions
from shared.protocol.wire import from_dict
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SyntheticDevice
from tests.search_server.tables import store_known_table

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


async def import_bench(api: Api, device: str) -> Table:
    path = f"/latency-tables/import?format=hw-nas-bench&device={device}&space=fbnet-cifar"
    response = await api.send("POST", path, content=bundled_hw_nas_bench())
    assert response.status_code == 201, response.text
    return from_dict(response.json(), Table)


@pytest.mark.parametrize(
    ("device", "latency_ms"),
    [("raspi4", 17.618579145142576), ("pixel3", 7.7889731), ("eyeriss", 3.940896), ("fpga", 10.73952)],
)
async def test_sums_of_hw_nas_bench_come_out(api: Api, device: str, latency_ms: float) -> None:
    table = await import_bench(api, device)
    create = PredictionCreate(device, "fbnet-cifar", ("k3_e1",), snapshot=table.summary.snapshot)
    (prediction,) = await api.post("/predictions", create)
    assert prediction["latency_us"] == pytest.approx(latency_ms * 1000, rel=1e-12)
    assert prediction["is_simulated"] == (device in ("eyeriss", "fpga"))


async def test_imported_device_has_no_agent(api: Api, tmp_path: Path) -> None:
    table = await import_bench(api, "raspi4")
    assert await import_bench(api, "raspi4") == table
    assert table.summary.num_measured == table.summary.num_entries == 104
    shown = await api.get("/devices/raspi4")
    assert (shown["is_imported"], shown["is_online"]) == (True, False)
    body = {"device": "raspi4", "space": "fbnet-cifar", "conditions": {"runtime": "litert"}}
    assert (await api.refused("POST", "/profiles", body)).type == "device_has_no_agent"
    litert = Conditions(runtime="litert")
    # The name of the file says CIFAR-100, whose hundred classes the space tells apart.
    (tmp_path / "train.bin").write_bytes(bytes(3074))  # two labels and 32 x 32 pixels of three colours
    cifar = str(tmp_path)
    await api.post(
        "/searches", SearchCreate("raspi4", "fbnet-cifar", cifar, target_ms=17.0, conditions=litert)
    )
    wrong = SearchCreate("raspi4", "fbnet-cifar", cifar, target_ms=17.0, conditions=Conditions())
    assert table.summary.snapshot in (await api.refused("POST", "/searches", wrong)).detail


@pytest.mark.parametrize(
    ("query", "content", "fragment"),
    [
        ("format=hw-nas-bench&device=nokia", bundled_hw_nas_bench(), "raspi4, pixel3, eyeriss, fpga"),
        ("format=hw-nas-bench&device=raspi4&space=fbnet-224", bundled_hw_nas_bench(), "not fbnet-224"),
        ("format=hw-nas-bench&device=raspi4", b"[]", "JSON object"),
        ("format=hw-nas-bench&device=raspi4", b'{"devices": {"raspi4": {}}}', "not an HW-NAS-Bench file"),
        ("format=json&device=raspi4", b"{}", "not a valid LatencyTable"),
    ],
)
async def test_what_is_no_table_is_refused(api: Api, query: str, content: bytes, fragment: str) -> None:
    error = await api.refused("POST", f"/latency-tables/import?{query}", content=content)
    assert error.status == 422
    assert fragment in error.detail


async def test_unequal_cells_of_equal_segments_are_refused(api: Api) -> None:
    document = json.loads(bundled_hw_nas_bench())
    document["devices"]["raspi4"]["rel_to_skip_ms"][3][0] += 0.1
    path = "/latency-tables/import?format=hw-nas-bench&device=raspi4"
    error = await api.refused("POST", path, content=json.dumps(document).encode())
    assert "equal segments have unequal latencies" in error.detail


async def test_diff(api: Api, device: SyntheticDevice, database: Database, clock: Clock) -> None:
    with database.transaction() as session:
        a = store_known_table(session, device.device_id, clock())
        b = store_known_table(session, device.device_id, clock(), slowdown=2.0)
    diff = await api.get(f"/latency-tables/{a}/diff/{b}")
    assert diff["ratio_median"] == pytest.approx(2.0)
    assert diff["rank_correlation"] == pytest.approx(1.0)
    assert diff["num_rank_changes"] == 0
    other = await import_bench(api, "raspi4")
    error = await api.refused("GET", f"/latency-tables/{a}/diff/{other.summary.snapshot}")
    assert "only tables of one space" in error.detail
    pixel = await import_bench(api, "pixel3")
    flips = await api.get(f"/latency-tables/{other.summary.snapshot}/diff/{pixel.summary.snapshot}")
    assert 0 < flips["rank_correlation"] < 1
    assert flips["num_rank_changes"] > 0


async def test_list_is_filtered(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    with database.transaction() as session:
        snapshot = store_known_table(session, device.device_id, clock())
    await import_bench(api, "raspi4")

    async def snapshots(query: str) -> list[str]:
        return [item["snapshot"] for item in (await api.get(f"/latency-tables?{query}"))["items"]]

    assert len(await snapshots("")) == 2
    assert await snapshots("device=raspi") == [snapshot]
    assert await snapshots("space=fbnet-tiny") == [snapshot]
    assert await snapshots("runtime=litert") != [snapshot]
    assert (await api.refused("GET", "/latency-tables/0000")).type == "unknown_table"
    with database.reading() as session:
        assert load_table(session, snapshot).snapshot == snapshot


async def test_a_device_of_an_impossible_name_is_not_added(api: Api) -> None:
    table = await import_bench(api, "raspi4")
    exported = await api.send("GET", f"/latency-tables/{table.summary.snapshot}?format=json")
    path = "/latency-tables/import?format=json&device=lab%2Fpi"
    error = await api.refused("POST", path, content=exported.content)
    assert (error.status, error.errors[0].path) == (422, "query.device")
    assert "'lab-pi' would do" in error.detail


async def test_csv_holds_no_formula(api: Api) -> None:
    table = await import_bench(api, "raspi4")
    exported = await api.send("GET", f"/latency-tables/{table.summary.snapshot}?format=json")
    again = replace(table, summary=replace(table.summary, device_name="=cmd()"))
    lines = to_csv(again, LatencyTable.from_json(exported.content)).splitlines()
    assert lines[1].split(",")[1] == "'=cmd()"
    assert len(lines) == 1 + len(table.cells)
