"""One error body for everything, with the next step in it."""

from dataclasses import replace

import httpx
import pytest
import structlog
from starlette.types import Message

from search_server.resources.latencies import MeasurementCreate, PredictionCreate
from search_server.resources.tables import ProfileCreate
from shared.protocol.device import Conditions, DeviceCreate
from tests.conftest import MAX_REQUEST_BYTES
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice, device_facts

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


async def test_unknown_route(api: Api) -> None:
    error = await api.refused("GET", "/devises")
    assert (error.status, error.type) == (404, "unknown_route")
    assert "/docs" in error.detail


async def test_wrong_method(api: Api) -> None:
    assert (await api.refused("PUT", "/devices")).type == "method_not_allowed"


async def test_invalid_body_names_the_fields(api: Api) -> None:
    error = await api.refused("POST", "/profiles", {"space": 3, "conditions": {"threads": 0}})
    assert (error.status, error.type) == (422, "invalid_request")
    faults = {fault.path: fault.message for fault in error.errors}
    assert set(faults) == {"body.device", "body.space", "body.conditions"}
    assert faults["body.conditions"] == "threads must lie in 1..256, got 0"


@pytest.mark.usefixtures("device")
async def test_unknown_space_lists_the_spaces(api: Api) -> None:
    error = await api.refused("POST", "/profiles", ProfileCreate("raspi", "resnet"))
    assert (error.status, error.type, error.errors[0].path) == (422, "invalid_value", "body.space")
    assert "fbnet-tiny" in error.detail


@pytest.mark.usefixtures("device")
async def test_unknown_device_lists_the_devices(api: Api) -> None:
    error = await api.refused("POST", "/profiles", ProfileCreate("rasppi", "fbnet-tiny"))
    assert (error.status, error.type) == (404, "unknown_device")
    assert error.detail == "no device 'rasppi'; the devices are raspi"


@pytest.mark.usefixtures("device")
async def test_unknown_block_lists_the_blocks(api: Api) -> None:
    create = PredictionCreate("raspi", "fbnet-tiny", ("k9_e1",), SIMULATED)
    assert "k5_e6" in (await api.refused("POST", "/predictions", create)).detail


@pytest.mark.parametrize(
    ("conditions", "word"),
    [
        (Conditions(runtime="ncnn"), "unsupported_runtime"),
        (Conditions(runtime_version="0.9"), "unsupported_runtime"),
        (Conditions(dtype="int8"), "unsupported_dtype"),
        (Conditions(accelerator="nnapi"), "unsupported_accelerator"),
        (Conditions(threads=5), "unsupported_cores"),
        (Conditions(cores=(4,)), "unsupported_cores"),
        (Conditions(threads=2, cores=(3,)), "unsupported_cores"),
    ],
)
@pytest.mark.usefixtures("device")
async def test_device_that_cannot_is_refused_at_submit(api: Api, conditions: Conditions, word: str) -> None:
    for path, create in (
        ("/profiles", ProfileCreate("raspi", "fbnet-tiny", conditions)),
        ("/measurements", MeasurementCreate("raspi", "fbnet-tiny", ("skip",), conditions)),
    ):
        error = await api.refused("POST", path, create)
        assert (error.status, error.type) == (422, word)


@pytest.mark.parametrize("conditions", [Conditions(threads=2), Conditions(cores=(0,))])
async def test_an_agent_confined_to_one_core_is_asked_for_no_more(api: Api, conditions: Conditions) -> None:
    token = api.make_token("enrol", None)
    confined = replace(device_facts("confined"), allowed_cores=(2,))
    await api.post("/devices", DeviceCreate(confined), token=token)
    error = await api.refused("POST", "/profiles", ProfileCreate("confined", "fbnet-tiny", conditions))
    assert error.type == "unsupported_cores"
    assert "1 of its 4 cores (2)" in error.detail


@pytest.mark.parametrize("path", ["profiles", "measurements", "searches"])
async def test_unknown_jobs(api: Api, path: str) -> None:
    assert (await api.refused("GET", f"/{path}/job_0")).status == 404
    assert (await api.refused("GET", f"/{path}/job_0/events")).status == 404


async def test_too_large_body(api: Api) -> None:
    error = await api.refused(
        "POST", "/latency-tables/import?device=x", content=b"x" * (MAX_REQUEST_BYTES + 1)
    )
    assert (error.status, error.type) == (413, "too_large")

    async def stream() -> object:
        for _ in range(5):
            yield b"x" * 1_000_000

    error = await api.refused("POST", "/latency-tables/import?device=x", content=stream())
    assert error.status == 413


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/profiles"), ("POST", "/latency-tables/import"), ("PUT", "/model-parts/x/0")],
)
async def test_who_hangs_up_in_the_middle_of_a_body_leaves_no_failure(
    api: Api, method: str, path: str
) -> None:
    token = (b"authorization", f"Bearer {api.user}".encode())
    scope = {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": f"/api/v1{path}",
        "raw_path": f"/api/v1{path}".encode(),
        "query_string": b"device=pi",
        "headers": [token, (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
    }
    came = iter(({"type": "http.request", "body": b'{"a', "more_body": True}, {"type": "http.disconnect"}))
    answers: list[Message] = []

    async def receive() -> Message:
        return next(came, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        answers.append(message)

    with structlog.testing.capture_logs() as logs:
        await api.app(scope, receive, send)
    assert [log for log in logs if log["log_level"] == "error"] == []
    assert answers[0]["status"] < 500


@pytest.mark.usefixtures("device")
async def test_idempotency_key(api: Api) -> None:
    headers = {"Idempotency-Key": "abc"}
    create = MeasurementCreate("raspi", "fbnet-tiny", ("skip",), SIMULATED)
    first = await api.post("/measurements", create, headers=headers)
    again = await api.post("/measurements", create, headers=headers)
    assert again["job"]["job_id"] == first["job"]["job_id"]
    other = MeasurementCreate("raspi", "fbnet-tiny", ("k3_e1",), SIMULATED)
    error = await api.refused("POST", "/measurements", other, headers=headers)
    assert (error.status, error.type) == (409, "idempotency_key_reused")
    without_key = await api.post("/measurements", create)
    assert without_key["job"]["job_id"] != first["job"]["job_id"]


@pytest.mark.usefixtures("device")
async def test_queue_of_a_token_is_bounded(api: Api) -> None:
    create = MeasurementCreate("raspi", "fbnet-tiny", ("skip",), SIMULATED)
    for _ in range(api.app.state.context.max_queued_jobs):
        await api.post("/measurements", create)
    assert (await api.refused("POST", "/measurements", create)).status == 429


async def test_lists_are_paged(api: Api) -> None:
    for number in range(5):
        await SyntheticDevice.enrol(api, f"device{number}")
    names: list[str] = []
    cursor = ""
    while True:
        page = await api.get(f"/devices?limit=2{cursor}")
        assert len(page["items"]) <= 2
        names += [item["name"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert names == [f"device{number}" for number in reversed(range(5))]


@pytest.mark.usefixtures("device")
async def test_health_needs_no_token_and_metrics_do(api: Api) -> None:
    for path in ("/healthz", "/readyz", "http://test/healthz"):
        assert (await api.http.get(path)).json() == {"status": "ok"}
    assert "edgenas_devices 1.0" in (await api.send("GET", "/metrics")).text
    assert isinstance(await api.http.get("http://test/docs"), httpx.Response)
