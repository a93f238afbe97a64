"""Which measurements of a model are queued and which are refused, and what SQL then answers."""

from dataclasses import replace

import pyarrow
import pytest
from pyarrow import csv, parquet
from sqlalchemy import text

from search_server.db.models import DeviceRow
from search_server.db.session import Database
from search_server.profiling.conclude_model import MODEL_ID
from search_server.resources.models import ModelMeasurementCreate
from shared.protocol.device import Conditions
from shared.protocol.measurement import Lease, ModelInput
from tests.markdown_code import code_blocks
from tests.own_models.files import create_for, onnx_bytes
from tests.profiling.test_conclude_model import runs, window
from tests.search_server.api import Api
from tests.search_server.synthetic import SyntheticDevice

pytestmark = pytest.mark.anyio


async def add(api: Api, content: bytes) -> None:
    create = create_for(content, "small")
    await api.send("PUT", f"/models/uploads/{create.sha256}?offset=0", content=content)
    await api.post("/models", create)


def renew(database: Database, device: SyntheticDevice, **facts: object) -> None:
    """Let a device be as its agent would tell at its next start."""
    with database.transaction() as session:
        row = session.get_one(DeviceRow, device.device_id)
        row.facts = {**row.facts, "protocol_max": 2, **facts}


def with_runtime(version: str = "1.32.0") -> dict[str, object]:
    return {"runtimes": [{"name": "onnxruntime", "version": version, "dtypes": ["fp32", "int8"]}]}


async def answer(device: SyntheticDevice, lease: Lease) -> None:
    for result in window(lease.lease_id):
        await device.post(replace(result, fence=lease.fence))


async def test_a_model_is_measured_and_its_nodes_are_rows(
    api: Api, device: SyntheticDevice, database: Database
) -> None:
    await add(api, onnx_bytes())
    renew(database, device, **with_runtime())
    create = ModelMeasurementCreate("raspi", Conditions(), (ModelInput("x", (2, 3, 16, 16)),))
    started = await api.post("/models/small/measurements", create)
    job_id = started["job"]["job_id"]
    while (lease := await device.lease()) is not None:
        item = next(item for item in lease.items if item.item_id == MODEL_ID)
        assert (item.workload, item.inputs, lease.protocol) == (None, create.inputs, 2)
        await answer(device, lease)
    done = await api.get(f"/models/small/measurements/{job_id}")
    assert (done["job"]["status"], len(done["latency"]["nodes"])) == ("done", 3)
    (listed,) = (await api.get("/models/small/measurements"))["items"]
    assert listed == {**done, "latency": {**done["latency"], "nodes": []}}
    *_, query = code_blocks("sql.md", "sql")
    with database.reading() as session:
        assert [tuple(row) for row in session.execute(text(query))] == [
            ("add", "Add", "", 40, 3),
            ("conv1", "Conv", "1x3 -> 1x8", 30, 3),
            ("conv2", "Conv", "", 30, 3),
        ]


@pytest.mark.parametrize(
    ("conditions", "word"),
    [(Conditions("torch"), "unsupported_runtime"), (Conditions(dtype="int8"), "unsupported_dtype")],
)
async def test_other_conditions_than_the_files_are_refused(
    api: Api, device: SyntheticDevice, database: Database, conditions: Conditions, word: str
) -> None:
    await add(api, onnx_bytes())
    renew(database, device, **with_runtime())
    create = ModelMeasurementCreate("raspi", conditions)
    assert (await api.refused("POST", "/models/small/measurements", create)).type == word


async def test_a_shape_that_the_file_cannot_have_is_refused(
    api: Api, device: SyntheticDevice, database: Database
) -> None:
    await add(api, onnx_bytes(batch=1))
    renew(database, device, **with_runtime())
    create = ModelMeasurementCreate("raspi", inputs=(ModelInput("x", (1, 3, 8, 8)),))
    error = await api.refused("POST", "/models/small/measurements", create)
    assert (error.status, error.errors[0].path) == (422, "body.inputs")


async def test_an_agent_that_knows_no_such_leases_is_not_given_one(
    api: Api, device: SyntheticDevice, database: Database
) -> None:
    await add(api, onnx_bytes())
    renew(database, device, **with_runtime(), protocol_max=1)
    create = ModelMeasurementCreate("raspi", Conditions())
    error = await api.refused("POST", "/models/small/measurements", create)
    assert (error.status, error.type) == (409, "agent_too_old")


async def test_a_model_that_is_being_measured_stays(
    api: Api, device: SyntheticDevice, database: Database
) -> None:
    await add(api, onnx_bytes())
    renew(database, device, **with_runtime())
    started = await api.post("/models/small/measurements", ModelMeasurementCreate("raspi"))
    assert (await api.refused("DELETE", "/models/small")).type == "model_in_use"
    await api.post(f"/models/small/measurements/{started['job']['job_id']}/cancel")
    assert (await api.send("DELETE", "/models/small")).status_code == 204


async def measured_job(api: Api, device: SyntheticDevice, slowdown: float) -> str:
    started = await api.post("/models/small/measurements", ModelMeasurementCreate("raspi"))
    while (lease := await device.lease()) is not None:
        anchor, model = window(lease.lease_id)
        slower = replace(model, runs=runs(80.0 * slowdown))
        for result in (anchor, slower):
            await device.post(replace(result, fence=lease.fence))
    return str(started["job"]["job_id"])


async def test_two_measurements_side_by_side(api: Api, device: SyntheticDevice, database: Database) -> None:
    await add(api, onnx_bytes())
    renew(database, device, **with_runtime())
    a, b = [await measured_job(api, device, slowdown) for slowdown in (1.0, 1.5)]
    found = await api.get(f"/models/compare?a={a}&b={b}")
    assert found["ratio"] == pytest.approx(1.5)
    assert found["low"] <= found["ratio"] <= found["high"]
    assert {each["op_type"]: (each["a_us"], each["b_us"]) for each in found["operators"]} == {
        "Conv": (pytest.approx(48), pytest.approx(72)),
        "Add": (pytest.approx(32), pytest.approx(48)),
    }
    assert [node["node"] for node in found["nodes"]] == ["add", "conv1", "conv2"]


async def test_nodes_are_exported(api: Api, device: SyntheticDevice, database: Database) -> None:
    await add(api, onnx_bytes())
    renew(database, device, **with_runtime())
    job_id = await measured_job(api, device, 1.0)
    path = f"/models/small/measurements/{job_id}/export"
    text_file = (await api.send("GET", f"{path}?format=csv")).content
    rows = csv.read_csv(pyarrow.BufferReader(text_file)).to_pylist()
    parquet_file = (await api.send("GET", f"{path}?format=parquet")).content
    assert parquet.read_table(pyarrow.BufferReader(parquet_file)).to_pylist() == rows
    assert [(row["node"], row["op_type"]) for row in rows] == [
        ("conv1", "Conv"),
        ("conv2", "Conv"),
        ("add", "Add"),
    ]
    assert [row["latency_us"] for row in rows] == pytest.approx([24, 24, 32])
    assert (await api.get(f"{path}?format=json"))["latency"]["nodes"][0]["node"] == "conv1"


@pytest.mark.parametrize("accepts", [False, True])
async def test_a_restless_device_is_measured_as_it_is_where_that_is_asked_for(
    api: Api, device: SyntheticDevice, database: Database, accepts: bool
) -> None:
    await add(api, onnx_bytes())
    renew(database, device, **with_runtime())
    create = ModelMeasurementCreate("raspi", accept_noise=accepts)
    started = await api.post("/models/small/measurements", create)
    while (lease := await device.lease()) is not None:
        assert lease.policy.accept_noise is accepts
        for result in window(lease.lease_id):
            noisy = replace(result, fence=lease.fence, noise="spread 0.4 is above 0.1")
            refused = replace(noisy, noise=None, status="unstable", reason="spread 0.4 is above 0.1")
            await device.post(noisy if accepts else refused)
    done = await api.get(f"/models/small/measurements/{started['job']['job_id']}")
    if accepts:
        note = done["latency"]["note"]
        assert note == "3 of 3 windows would have been refused: spread 0.4 is above 0.1"
    else:
        assert done["job"]["status"] == "failed"
        assert "--accept-noise (REST: accept_noise)" in done["job"]["message"]
