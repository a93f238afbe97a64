"""Models over HTTP: sent in parts, refused or kept, removed."""

import hashlib
from pathlib import Path

import pytest

from search_server.own_models import parts
from tests.conftest import Clock
from tests.own_models.files import create_for, onnx_bytes
from tests.search_server.api import Api

pytestmark = pytest.mark.anyio
CONTENT = onnx_bytes()
SHA256 = hashlib.sha256(CONTENT).hexdigest()
UPLOAD = f"/models/uploads/{SHA256}"


async def send(api: Api, offset: int, content: bytes, sha256: str = SHA256) -> int:
    path = f"/models/uploads/{sha256}?offset={offset}"
    response = await api.send("PUT", path, content=content)
    assert response.status_code == 200, response.text
    return int(response.json()["received_bytes"])


async def add(api: Api, name: str = "small", content: bytes = CONTENT) -> dict[str, str]:
    create = create_for(content, name)
    await send(api, 0, content, create.sha256)
    model: dict[str, str] = await api.post("/models", create)
    return model


async def test_parts_become_a_model(api: Api) -> None:
    assert await send(api, 0, CONTENT[:100]) == 100
    assert (await api.get(UPLOAD))["received_bytes"] == 100
    assert await send(api, 50, CONTENT[50:200]) == 200  # a part that overlaps changes nothing
    error = await api.refused("POST", "/models", create_for(CONTENT, "small"))
    assert (error.status, error.type) == (409, "missing_part")
    assert await send(api, 200, CONTENT[200:]) == len(CONTENT)
    model = await api.post("/models", create_for(CONTENT, "small"))
    assert (model["sha256"], model["facts"]["num_nodes"]) == (SHA256, 4)
    assert await api.get("/models/small") == model
    assert (await api.get("/models"))["items"] == [model]
    assert (await api.get(UPLOAD))["is_stored"] is True


async def test_a_part_that_leaves_a_hole_is_refused(api: Api) -> None:
    error = await api.refused("PUT", f"{UPLOAD}?offset=10", content=b"late")
    assert (error.status, error.type) == (409, "missing_part")


async def test_bytes_that_hash_to_something_else_are_thrown_away(api: Api) -> None:
    await send(api, 0, CONTENT[:-1] + b"?")
    error = await api.refused("POST", "/models", create_for(CONTENT, "small"))
    assert (error.status, error.type) == (422, "wrong_hash")
    assert (await api.get(UPLOAD))["received_bytes"] == 0


async def test_a_file_that_is_no_model_is_refused(api: Api) -> None:
    content = b"#!/bin/sh\nrm -rf /\n"
    create = create_for(content, "script")
    await send(api, 0, content, create.sha256)
    error = await api.refused("POST", "/models", create)
    assert (error.status, error.type) == (422, "refused_model")


@pytest.mark.parametrize("sha256", ["abc", "..%2f..%2fetc", "A" * 64])
async def test_a_hash_is_no_path(api: Api, sha256: str) -> None:
    response = await api.send("PUT", f"/models/uploads/{sha256}?offset=0", content=b"x")
    assert response.status_code in (404, 422)


async def test_a_name_names_one_file(api: Api) -> None:
    first = await add(api)
    assert await add(api) == first
    other = onnx_bytes(producer_name="other")
    create = create_for(other, "small")
    await send(api, 0, other, create.sha256)
    error = await api.refused("POST", "/models", create)
    assert (error.status, error.type) == (409, "name_taken")
    assert (await api.refused("POST", "/models", create_for(other, "no/path"))).status == 422


async def test_a_removed_model_is_gone_with_its_file(api: Api) -> None:
    model = await add(api)
    assert (await api.send("DELETE", "/models/small")).status_code == 204
    assert (await api.refused("GET", "/models/small")).type == "unknown_model"
    assert (await api.get(UPLOAD))["is_stored"] is False
    again = await add(api)
    assert again["model_id"] != model["model_id"]


async def test_what_is_left_lying_goes_after_a_day(clock: Clock, tmp_path: Path) -> None:
    parts.write_part(tmp_path, SHA256, 0, b"begun")
    path = parts.part_path(tmp_path, SHA256)
    from_then_on = clock().fromtimestamp(path.stat().st_mtime, clock().tzinfo)
    assert parts.drop_old_parts(tmp_path, from_then_on + parts.KEPT_FOR / 2) == 0
    assert parts.drop_old_parts(tmp_path, from_then_on + 2 * parts.KEPT_FOR) == 1
    assert not path.exists()


async def test_only_users_bring_models(api: Api) -> None:
    token = api.make_token("enrol", None)
    response = await api.send("PUT", f"{UPLOAD}?offset=0", token=token, content=b"x")
    assert response.status_code == 403
