"""What computes is a condition: offered by the device, refused in words, never mixed in one table."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from search_server.db.session import Database
from search_server.model_files.tflite_model import tflite_bytes
from search_server.resources.gates import GateCreate
from search_server.resources.latencies import MeasurementCreate
from search_server.resources.models import ModelCreate, ModelMeasurementCreate
from search_server.resources.searches import DeviceTarget, SearchCreate
from search_server.resources.tables import ProfileCreate
from shared.protocol.device import Conditions, RuntimeInfo
from shared.protocol.measurement import LeaseRequest
from tests.conftest import Clock
from tests.model_files.networks import WORKLOAD
from tests.search_server.api import Api
from tests.search_server.synthetic import SyntheticDevice, device_facts
from tests.search_server.tables import known_table, store_known_table

pytestmark = pytest.mark.anyio

LITERT = Conditions(runtime="litert")


@pytest.fixture
async def litert_device(api: Api, device: SyntheticDevice) -> SyntheticDevice:
    """A device with LiteRT, by XNNPACK and without."""
    await renew(api, device, RuntimeInfo("litert", "2.3.0", accelerators=("xnnpack", "cpu")))
    return device


async def profile(api: Api, accelerator: str) -> dict[str, Any]:
    conditions = replace(LITERT, accelerator=accelerator)
    answer = await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", conditions))
    job: dict[str, Any] = answer["job"]
    return job


@pytest.mark.usefixtures("litert_device")
async def test_the_usual_accelerator_by_name_is_the_same_as_none(api: Api) -> None:
    usual, named, other = [await profile(api, name) for name in ("", "xnnpack", "cpu")]
    assert named["job_id"] == usual["job_id"]
    assert named["conditions"]["accelerator"] == ""
    assert other["job_id"] != usual["job_id"]
    assert other["conditions"]["accelerator"] == "cpu"


async def test_a_lease_says_what_computes(api: Api, litert_device: SyntheticDevice) -> None:
    await profile(api, "cpu")
    lease = await litert_device.lease()
    assert lease is not None
    assert lease.conditions.accelerator == "cpu"


NNAPI = replace(LITERT, accelerator="nnapi")


@pytest.mark.parametrize(
    ("path", "create"),
    [
        ("/profiles", ProfileCreate("raspi", "fbnet-tiny", NNAPI)),
        ("/measurements", MeasurementCreate("raspi", "fbnet-tiny", ("skip",), NNAPI)),
        ("/models/net/measurements", ModelMeasurementCreate("raspi", NNAPI)),
        ("/gates", GateCreate("raspi", "net", "net", conditions=NNAPI)),
    ],
)
@pytest.mark.usefixtures("litert_device")
async def test_what_a_device_does_not_offer_is_refused_in_words(
    api: Api, path: str, create: object
) -> None:
    content = tflite_bytes(WORKLOAD, None, 1, "fp32")
    sha256 = hashlib.sha256(content).hexdigest()
    await api.send("PUT", f"/models/uploads/{sha256}?offset=0", content=content)
    await api.post("/models", ModelCreate("net", "tflite", sha256, len(content)))
    error = await api.refused("POST", path, create)
    assert (error.status, error.type) == (422, "unsupported_accelerator")
    assert "device 'raspi' offers xnnpack, cpu on litert, not nnapi" in error.detail


@pytest.mark.parametrize(
    ("runtime", "accelerator"), [("onnxruntime", "xnnpack"), ("onnxruntime", "gpu"), ("ncnn", "gpu")]
)
async def test_no_table_is_begun_on_what_tells_no_times_of_segments(
    api: Api, device: SyntheticDevice, runtime: str, accelerator: str
) -> None:
    await renew(api, device, RuntimeInfo(runtime, "1.0", accelerators=("cpu", "xnnpack", "gpu")))
    conditions = Conditions(runtime, accelerator=accelerator)
    error = await api.refused("POST", "/profiles", ProfileCreate("raspi", "fbnet-tiny", conditions))
    assert (error.status, error.type) == (422, "unsupported_accelerator")
    assert "offers (cpu, xnnpack, gpu), tables are made on cpu" in error.detail
    await api.post("/measurements", MeasurementCreate("raspi", "fbnet-tiny", ("skip",), conditions))


async def test_a_batch_that_a_runtime_does_not_run_is_refused(api: Api, device: SyntheticDevice) -> None:
    await renew(api, device, RuntimeInfo("ncnn", "1.0"))
    create = ProfileCreate("raspi", "fbnet-tiny", Conditions("ncnn", batch=2))
    error = await api.refused("POST", "/profiles", create)
    assert (error.status, error.type) == (422, "unsupported_batch")


async def renew(api: Api, device: SyntheticDevice, *runtimes: RuntimeInfo) -> None:
    """Let a device tell what it has now."""
    told = LeaseRequest(device=replace(device_facts("raspi"), runtimes=runtimes))
    await api.send("POST", "/agent/lease", told, token=device.token)


def search(also: tuple[DeviceTarget, ...] = ()) -> SearchCreate:
    slowest_ms = known_table("").latency_range_us()[1] / 1000
    return SearchCreate("raspi", "fbnet-tiny", "digits", target_ms=slowest_ms, also=also)


async def test_a_search_without_a_table_says_how_to_make_one_or_why_none_can_be(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    litert = RuntimeInfo("litert", "2.3.0", accelerators=("xnnpack", "cpu"))
    await renew(api, device, RuntimeInfo("onnxruntime", "1.32.0"), litert)
    with database.transaction() as session:
        store_known_table(session, device.device_id, clock())
    lacking = replace(LITERT, accelerator="cpu", threads=2)
    error = await api.refused("POST", "/searches", search((DeviceTarget("raspi", 1.0, lacking),)))
    assert (error.status, error.type) == (409, "no_table")
    assert error.detail.endswith("-s fbnet-tiny --runtime litert --threads 2 --accelerator cpu")
    error = await api.refused("POST", "/searches", search((DeviceTarget("raspi", 1.0, NNAPI),)))
    assert (error.status, error.type) == (409, "no_table")
    assert "none can be measured: device 'raspi' offers xnnpack, cpu on litert, not nnapi" in error.detail


async def test_a_search_is_refused_whose_networks_its_device_could_not_measure(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    with database.transaction() as session:
        store_known_table(session, device.device_id, clock())
    await renew(api, device, RuntimeInfo("ncnn", "1.0"))
    error = await api.refused("POST", "/searches", search())
    assert (error.status, error.type) == (422, "unsupported_runtime")
    assert "it has ncnn 1.0" in error.detail
    await renew(api, device, RuntimeInfo("onnxruntime", "1.33.0"))
    await api.post("/searches", search())


def test_unlike_accelerators_have_unlike_keys() -> None:
    keys = {replace(LITERT, accelerator=name).usual_unsaid().key for name in ("", "xnnpack", "cpu", "gpu")}
    assert len(keys) == 3
