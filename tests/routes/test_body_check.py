"""What cannot be kept is refused at the door, so that no stored row spoils a list."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from search_server.resources.searches import SearchCreate
from search_server.routes.body_check import boolean_fault
from shared.protocol.device import DeviceCreate
from shared.protocol.measurement import Heartbeat, LeaseRequest, Result
from shared.protocol.wire import FieldError, WireError, from_peer, to_dict
from tests.search_server.api import Api
from tests.search_server.synthetic import SyntheticDevice, device_facts

pytestmark = pytest.mark.anyio

TEXT = "must be text"
BAD_VALUES: Mapping[str, str] = {
    r'"a\ud800"': TEXT,
    r'"a\udfff"': TEXT,
    r'"a\u0000"': TEXT,
    "NaN": "must be a finite number",
    "-Infinity": "must be a finite number",
    "1e999": "must be a finite number",
    "9223372036854775808": "at most 64 bits",
    "1" + "0" * 30: "at most 64 bits",
}


def bodies(device: SyntheticDevice) -> list[tuple[str, str, Any, str]]:
    """Return routes, with tokens, bodies, and a text or number in each, as a JSON path."""
    facts = to_dict(DeviceCreate(device_facts("other")))
    result = to_dict(Result("lease_1", 1, "item", "ok"))
    enrol = device.api.make_token("enrol", None)
    search = to_dict(SearchCreate("raspi", "fbnet-tiny", "digits", target_ms=1.0))
    return [
        ("/devices", enrol, facts, "device.name"),
        ("/devices", enrol, facts, "device.memory_bytes"),
        ("/agent/lease", device.token, to_dict(LeaseRequest()), "environment.governor"),
        ("/agent/heartbeat", device.token, to_dict(Heartbeat()), "environment.temperature_c"),
        ("/agent/leases/lease_1/results", device.token, result, "started_at"),
        ("/agent/leases/lease_1/results", device.token, result, "canary_us"),
        ("/searches", device.api.user, search, "seed"),
        ("/searches", device.api.user, search, "class_names"),
    ]


def with_value(body: Any, path: str, value: str) -> str:
    """Return a body as JSON with a value, itself JSON, put in at a path."""
    changed = json.loads(json.dumps(body))
    *outer, last = path.split(".")
    place = changed
    for name in outer:
        place = place[name]
    place[last] = "PUT HERE"
    return json.dumps(changed).replace('"PUT HERE"', value)


@pytest.mark.parametrize(("value", "words"), BAD_VALUES.items())
async def test_a_value_that_cannot_be_kept_is_refused_with_its_path(
    api: Api, device: SyntheticDevice, value: str, words: str
) -> None:
    for route, token, body, path in bodies(device):
        headers = {"Content-Type": "application/json"}
        content = with_value(body, path, value)
        error = await api.refused("POST", route, token=token, content=content, headers=headers)
        assert (error.status, error.type) == (422, "invalid_request")
        assert error.errors[0].path == f"body.{path}"
        assert words in error.detail
    assert [item["name"] for item in (await api.get("/devices"))["items"]] == ["raspi"]


async def test_truth_is_no_number(api: Api, device: SyntheticDevice) -> None:
    search = to_dict(SearchCreate("raspi", "fbnet-tiny", "digits", target_ms=1.0)) | {"target_ms": True}
    error = await api.refused("POST", "/searches", search)
    assert error.errors == (FieldError("body.target_ms", "must not be true or false"),)
    beat = {"environment": {"core_khz": [1, False], "is_charging": True}}
    error = await api.refused("POST", "/agent/heartbeat", beat, token=device.token)
    assert error.errors[0].path == "body.environment.core_khz.1"
    await api.post("/agent/heartbeat", {"environment": {"is_charging": True}}, token=device.token)


def test_truth_is_taken_where_a_type_has_it() -> None:
    assert boolean_fault({"mixed_precision": True, "also": [{"weight": 1.0}]}, (SearchCreate,)) is None
    assert boolean_fault({"also": [{"weight": True}]}, (SearchCreate,)) == ("also", 0, "weight")
    assert boolean_fault({"nodes": [{"wall_us": [1.0, True]}]}, (Result,)) == ("nodes", 0, "wall_us", 1)
    assert boolean_fault({"nobody knows": True}, (Result,)) is None


async def test_nul_in_path_and_query_is_refused(api: Api) -> None:
    for route, path in (
        ("/devices/a%00b", "path.device"),
        ("/latency-tables?runtime=a%00", "query.runtime"),
    ):
        error = await api.refused("GET", route)
        assert (error.status, error.errors[0].path) == (422, path)


def test_an_agent_that_is_called_cannot_send_such_values_either() -> None:
    good = json.dumps(to_dict(Result("lease_1", 1, "item", "ok")))
    assert from_peer(good, Result).item_id == "item"
    for value in BAD_VALUES:
        with pytest.raises(WireError, match="must be"):
            from_peer(with_value(json.loads(good), "started_at", value), Result)
