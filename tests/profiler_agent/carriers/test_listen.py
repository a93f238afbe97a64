import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from profiler_agent.agent import AgentCore
from profiler_agent.bounds import Bounds
from profiler_agent.carriers.listen import MAX_LEASE_BYTES, create_app
from shared.protocol.device import Device
from shared.protocol.measurement import AgentState, Result
from shared.protocol.wire import ErrorBody, from_json, to_json
from tests.profiler_agent.leases import (
    ARTIFACT,
    MODEL,
    PHONE,
    agent_core,
    odd_lease,
    real_lease,
    tell_phone,
)

TOKEN = "edg_agent_" + "x" * 40


@asynccontextmanager
async def caller(
    core: AgentCore, token: str = TOKEN, lacking: Callable[[], str] = str
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(core, tell_phone, TOKEN, lambda _: lacking())
    transport = httpx.ASGITransport(app)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://agent", headers=headers) as client:
        yield client


def ask(core: AgentCore, talk: Callable[[httpx.AsyncClient], Awaitable[None]], token: str = TOKEN) -> None:
    async def conversation() -> None:
        async with caller(core, token) as client:
            await talk(client)

    asyncio.run(conversation())


def check_problem(response: httpx.Response, status: int, kind: str) -> ErrorBody:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = from_json(response.content, ErrorBody)
    assert (body.status, body.type) == (status, kind)
    return body


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/device"),
        ("GET", "/v1/state"),
        ("GET", "/metrics"),
        ("POST", "/v1/leases"),
        ("DELETE", "/v1/leases/x"),
        ("PUT", f"/v1/artifacts/{ARTIFACT.sha256}"),
        ("GET", "/nowhere"),
    ],
)
@pytest.mark.parametrize("token", ["", TOKEN[:-1], TOKEN + "x", "Bearer"])
def test_nothing_without_the_token(tmp_path: Path, method: str, path: str, token: str) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        check_problem(await client.request(method, path), 401, "wrong_token")

    ask(agent_core(tmp_path), talk, token)


def test_a_short_token_is_no_secret(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 32"):
        create_app(agent_core(tmp_path), tell_phone, "secret")


def test_says_who_it_is_and_how_it_is(tmp_path: Path) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        client.headers.pop("Authorization")
        assert (await client.get("/healthz")).text == "ok\n"
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        assert from_json((await client.get("/v1/device")).content, Device) == PHONE
        check_problem(await client.get("/nowhere"), 404, "not_found")
        check_problem(await client.get("/v1/leases"), 405, "method_not_allowed")

    ask(agent_core(tmp_path), talk)


def test_measures_a_model_sent_before(tmp_path: Path) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        path = f"/v1/artifacts/{ARTIFACT.sha256}"
        assert (await client.head(path)).status_code == 404
        assert (await client.put(path, content=MODEL)).status_code == 204
        assert (await client.head(path)).status_code == 200
        response = await client.post("/v1/leases", content=to_json(real_lease("a", "b")))
        assert response.headers["content-type"] == "application/x-ndjson"
        results = [from_json(line, Result) for line in response.text.splitlines()]
        assert {result.item_id: result.status for result in results} == {"a": "ok", "b": "ok"}
        metrics = (await client.get("/metrics")).text
        assert 'edgenas_agent_results_total{status="ok"} 2.0' in metrics
        assert "edgenas_agent_busy 0.0" in metrics

    ask(agent_core(tmp_path), talk)


def test_keeps_no_model_that_is_not_what_it_says(tmp_path: Path) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        path = f"/v1/artifacts/{ARTIFACT.sha256}"
        check_problem(await client.put(path, content=MODEL + b"x"), 422, "invalid_request")
        check_problem(await client.put(path, content=b"x" * 100_000), 422, "invalid_request")
        check_problem(await client.put("/v1/artifacts/..%2Fetc", content=MODEL), 404, "not_found")
        check_problem(await client.put("/v1/artifacts/short", content=MODEL), 422, "invalid_request")
        assert (await client.head(path)).status_code == 404

    ask(agent_core(tmp_path, bounds=Bounds(max_artifact_bytes=50_000)), talk)


def test_refuses_what_is_no_lease(tmp_path: Path) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        body = check_problem(await client.post("/v1/leases", content=b"{}"), 422, "invalid_request")
        assert "lease_id" in body.detail
        too_large = b" " * (MAX_LEASE_BYTES + 1)
        check_problem(await client.post("/v1/leases", content=too_large), 413, "too_large")

    ask(agent_core(tmp_path), talk)


def test_one_lease_at_a_time_until_it_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setenv("ODD_PIPE", str(pipe))

    async def talk(client: httpx.AsyncClient) -> None:
        first = asyncio.create_task(client.post("/v1/leases", content=to_json(odd_lease("hang"))))
        with await asyncio.to_thread(pipe.open) as alive:
            second = await client.post("/v1/leases", content=to_json(odd_lease("fine", lease_id="second")))
            body = check_problem(second, 409, "agent_busy")
            assert "lease 'odd' is being measured" in body.detail
            check_problem(await client.delete("/v1/leases/second"), 404, "not_found")
            assert (await client.delete("/v1/leases/odd")).status_code == 204
            assert await asyncio.to_thread(alive.read) == ""
        result = from_json((await first).text, Result)
        assert (result.status, result.reason) == ("error", "the server cancelled the lease")

    ask(agent_core(tmp_path, is_odd=True), talk)


def test_a_server_that_hangs_up_ends_the_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setenv("ODD_PIPE", str(pipe))

    async def talk(client: httpx.AsyncClient) -> None:
        request = asyncio.create_task(client.post("/v1/leases", content=to_json(odd_lease("hang"))))
        with await asyncio.to_thread(pipe.open) as alive:
            request.cancel()
            assert await asyncio.to_thread(alive.read) == ""
        await asyncio.gather(request, return_exceptions=True)

    ask(agent_core(tmp_path, is_odd=True), talk)


def test_what_its_owner_does_not_lend_now_takes_no_lease_and_says_when_to_ask_again(tmp_path: Path) -> None:
    lacking = ["charging"]

    async def talk() -> None:
        async with caller(agent_core(tmp_path, is_odd=True), lacking=lambda: lacking[0]) as client:
            state = from_json((await client.get("/v1/state")).content, AgentState)
            assert (state.waiting_for, state.lease_id) == ("charging", None)
            assert state.environment.memory_available_bytes
            refused = await client.post("/v1/leases", content=to_json(odd_lease("fine")))
            assert "waits for: charging" in check_problem(refused, 503, "not_now").detail
            assert int(refused.headers["Retry-After"]) > 0
            lacking[0] = ""
            assert from_json((await client.get("/v1/state")).content, AgentState).waiting_for == ""
            taken = await client.post("/v1/leases", content=to_json(odd_lease("fine")))
            assert from_json(taken.text, Result).status == "ok"

    asyncio.run(talk())
