"""Changes by a browser's session: what a bearer token may, from the server's own pages, nothing else."""

import re

import httpx
import pytest
from fastapi.routing import APIRoute

from search_server.app import ROUTERS
from search_server.db.session import Database
from search_server.people import add_user
from search_server.resources.latencies import MeasurementCreate
from search_server.routes.browser_session import CSRF_HEADER, SESSION_COOKIE, csrf_token
from search_server.tokens import create_token
from shared.protocol.wire import to_dict
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice

pytestmark = pytest.mark.anyio

OWN = "http://test"


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


def session_headers(token: str, **changed: str | None) -> dict[str, str]:
    """Return what a browser sends with a change; None leaves a header out."""
    headers = {"Cookie": f"{SESSION_COOKIE}={token}", "Origin": OWN, CSRF_HEADER: csrf_token(token)}
    return {name: value for name, value in {**headers, **changed}.items() if value is not None}


def routes() -> list[tuple[str, str]]:
    """Return method and path of every route, with names that nothing has."""
    return [
        (method, re.sub(r"\{.*?\}", "unknown", route.path))
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    ]


def verdict(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"] if answer.status_code >= 400 else ""


async def test_a_session_passes_where_its_token_passes_and_nowhere_else(
    api: Api, device: SyntheticDevice
) -> None:
    tokens = [api.make_token(scope, None) for scope in ("user", "admin", "enrol")]
    num_refused = 0
    for token in [*tokens, device.token]:
        for method, path in routes():
            by_bearer = verdict(await api.send(method, path, {}, token=token))
            answer = await api.http.request(method, path, json={}, headers=session_headers(token))
            assert verdict(answer) == by_bearer, (method, path)
            num_refused += by_bearer == (403, "wrong_scope")
    assert num_refused > 100


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({CSRF_HEADER: None}, "wrong_csrf_token"),
        ({CSRF_HEADER: ""}, "wrong_csrf_token"),
        ({CSRF_HEADER: "0" * 64}, "wrong_csrf_token"),
        ({CSRF_HEADER: csrf_token("edg_user_of_another")}, "wrong_csrf_token"),
        ({CSRF_HEADER: "ä".encode("latin-1").decode("latin-1")}, "wrong_csrf_token"),
        ({"Origin": None}, "foreign_origin"),
        ({"Origin": "null"}, "foreign_origin"),
        ({"Origin": "https://elsewhere.example"}, "foreign_origin"),
        ({"Origin": "http://test.elsewhere.example"}, "foreign_origin"),
        ({"Origin": "http://test:81"}, "foreign_origin"),
        ({"Origin": "http://["}, "foreign_origin"),
    ],
)
async def test_every_change_needs_the_session_s_word_and_a_page_of_this_server(
    api: Api, changed: dict[str, str | None], word: str
) -> None:
    headers = session_headers(api.user, **changed)
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    num_refused = 0
    for method, path in routes():
        if method == "GET" or path in ("/healthz", "/readyz"):
            continue
        answer = await api.http.request(method, path, json={}, headers=raw)
        assert verdict(answer) == (403, word), (method, path)
        num_refused += 1
    assert num_refused > 20


async def test_a_session_that_is_refused_has_changed_nothing(api: Api, device: SyntheticDevice) -> None:
    path = f"/devices/{device.device_id}"
    for changed in ({CSRF_HEADER: None}, {"Origin": "https://elsewhere.example"}):
        answer = await api.http.delete(path, headers=session_headers(api.user, **changed))
        assert answer.status_code == 403
    assert (await api.get(path))["name"] == "raspi"
    assert (await api.http.delete(path, headers=session_headers(api.user))).status_code == 204
    assert (await api.get("/devices"))["items"] == []


async def test_without_the_cookie_the_word_is_worth_nothing(api: Api) -> None:
    headers = {"Origin": OWN, CSRF_HEADER: csrf_token(api.user)}
    assert (await api.http.post("/measurements", json={}, headers=headers)).status_code == 401


@pytest.mark.usefixtures("device")
async def test_owners_and_the_audit_trail_are_those_of_the_token(
    api: Api, database: Database, clock: Clock
) -> None:
    with database.transaction() as session:
        add_user(session, "alice", clock())
        add_user(session, "bob", clock())
        alice, bob = (create_token(session, "user", clock(), owner=name) for name in ("alice", "bob"))
    create = to_dict(MeasurementCreate("raspi", "fbnet-tiny", ("skip",), SIMULATED))
    made = await api.http.post("/measurements", json=create, headers=session_headers(alice))
    job = made.json()["job"]
    assert job["owner"] == "alice"
    cancel = f"/measurements/{job['job_id']}/cancel"
    assert verdict(await api.http.post(cancel, headers=session_headers(bob))) == (403, "not_yours")
    assert verdict(await api.http.post(cancel, headers=session_headers(alice))) == (200, "")
    entries = (await api.get("/audit", token=api.make_token("admin", None)))["items"]
    told = [(entry["user"], entry["action"], entry["status"]) for entry in entries[:3]]
    action = "POST /measurements/{job_id}/cancel"
    assert told == [("alice", action, 200), ("bob", action, 403), ("alice", "POST /measurements", 201)]


def test_the_word_is_an_hmac_of_the_token() -> None:
    # printf 'edgenas csrf' | openssl dgst -sha256 -hmac edg_user_0123456789ab_secret
    expected = "7b09a927a1326db953d8b0d9fdf4e2d66c13eb2cd302c8227be81dd82e7b1380"
    assert csrf_token("edg_user_0123456789ab_secret") == expected
