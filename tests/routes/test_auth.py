"""Who may do what; every route asks for a token."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from search_server.app import ROUTERS
from search_server.db.models import TokenRow
from search_server.db.session import Database
from search_server.errors import UnauthenticatedError
from search_server.routes.auth import Allow
from search_server.tokens import Scope, authenticate, create_token, revoke_token
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SyntheticDevice

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


OPEN_ROUTES = {"/api/v1/healthz", "/api/v1/readyz"}

EXPECTED_ROUTES = {
    "POST /devices",
    "GET /devices",
    "GET /devices/{device}",
    "PATCH /devices/{device}",
    "DELETE /devices/{device}",
    "POST /agent/lease",
    "POST /agent/leases/{lease_id}/results",
    "POST /agent/heartbeat",
    "GET /artifacts/{sha256}",
    "POST /profiles",
    "GET /profiles/{job_id}",
    "GET /profiles/{job_id}/events",
    "GET /latency-tables",
    "GET /latency-tables/{snapshot}",
    "POST /latency-tables/import",
    "GET /latency-tables/{snapshot}/diff/{other}",
    "GET /latency-tables/{snapshot}/prediction",
    "POST /predictions",
    "POST /measurements",
    "GET /measurements",
    "GET /measurements/{job_id}",
    "POST /searches",
    "GET /searches",
    "GET /searches/{job_id}",
    "GET /searches/{job_id}/events",
    "GET /searches/{job_id}/steps",
    "GET /searches/{job_id}/architectures",
    "GET /searches/{job_id}/export",
    "POST /searches/{job_id}/cancel",
    "POST /searches/{job_id}/resume",
    "GET /data",
    "GET /ids/{part}",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
}


def operations(api: Api) -> list[tuple[str, str]]:
    paths = api.app.openapi()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


async def test_promised_routes_are_documented(api: Api) -> None:
    documented = {f"{method} {path.removeprefix('/api/v1')}" for method, path in operations(api)}
    assert documented >= EXPECTED_ROUTES


async def test_every_route_has_a_summary_and_an_error_model(api: Api) -> None:
    for path, methods in api.app.openapi()["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], (method, path)
            assert "4XX" in operation["responses"], (method, path)


async def test_every_schema_has_a_title_of_its_own(api: Api) -> None:
    schemas = api.app.openapi()["components"]["schemas"]
    titles = [schema["title"] for schema in schemas.values()]
    assert len(set(titles)) == len(titles)
    assert {"PageSearch", "PageDeviceResource", "Search"} <= set(titles)


async def test_every_list_is_typed(api: Api) -> None:
    lists = (
        "devices",
        "profiles",
        "measurements",
        "checks",
        "latency-tables",
        "models",
        "gates",
        "searches",
    )
    for name in lists:
        answer = api.app.openapi()["paths"][f"/api/v1/{name}"]["get"]["responses"]["200"]
        assert "$ref" in answer["content"]["application/json"]["schema"], name


async def test_every_route_demands_a_token(api: Api) -> None:
    for method, path in operations(api):
        if path in OPEN_ROUTES:
            continue
        response = await api.http.request(method, f"http://test{path}", json={})
        assert response.status_code == 401, (method, path, response.text)
        assert response.headers["www-authenticate"] == "Bearer"


def allowed_scopes(route: APIRoute) -> set[str]:
    """Return the scopes that a route declares; none if it takes no token."""
    calls = [dependant.call for dependant in dependants(route.dependant)]
    scopes: list[set[str]] = [set(call.scopes) for call in calls if isinstance(call, Allow)]
    return set.intersection(*scopes) if scopes else set()


def dependants(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for part in dependant.dependencies:
        yield from dependants(part)


async def test_each_route_lets_exactly_its_scopes_pass(api: Api, device: SyntheticDevice) -> None:
    tokens = {scope: api.make_token(scope, None) for scope in ("user", "admin", "enrol")}
    tokens["device"] = device.token
    num_refused = 0
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            scopes = allowed_scopes(route)
            assert scopes or f"/api/v1{route.path}" in OPEN_ROUTES, route.path
            path = re.sub(r"\{.*?\}", "unknown", route.path)
            for method in route.methods or ():
                for scope, token in tokens.items():
                    # Nothing is done: no body fits, and nothing of this name is there.
                    answer = await api.send(method, path, {}, token=token)
                    is_refused = answer.status_code == 403
                    assert is_refused == bool(scopes and scope not in scopes), (method, path, scope)
                    num_refused += is_refused
    assert num_refused > 100


async def test_users_are_no_agents_and_agents_no_users(api: Api, device: SyntheticDevice) -> None:
    requests: tuple[tuple[Scope, str, str], ...] = (
        ("enrol", "GET", "/devices"),
        ("enrol", "POST", "/agent/heartbeat"),
        ("user", "POST", "/agent/lease"),
        ("admin", "POST", "/agent/lease"),
    )
    for scope, method, path in requests:
        error = await api.refused(method, path, {}, token=api.make_token(scope, None))
        assert (error.status, error.type) == (403, "wrong_scope")
    for method, path in (("GET", "/devices"), ("POST", "/profiles")):
        assert (await api.refused(method, path, {}, token=device.token)).status == 403


async def test_admin_may_do_what_users_may(api: Api) -> None:
    await api.get("/devices", token=api.make_token("admin", None))


def test_secret_is_stored_as_a_hash_and_compared_whole(database: Database, clock: Clock) -> None:
    with database.transaction() as session:
        text = create_token(session, "user", clock())
    with database.reading() as session:
        row = authenticate(session, text, clock())
        secret = text.split("_", 3)[3]
        assert secret not in str(row.__dict__)
        assert len(secret) >= 43  # 32 bytes in base 64
        for wrong in (
            text[:-1],
            text + "x",
            text.replace("_user_", "_admin_"),
            "edg_user",
            "",
            "edg_user__x",
        ):
            with pytest.raises(UnauthenticatedError):
                authenticate(session, wrong, clock())


def test_revoked_and_expired_tokens_are_refused(database: Database, clock: Clock) -> None:
    with database.transaction() as session:
        revoked = create_token(session, "user", clock())
        expired = create_token(session, "user", clock(), timedelta(minutes=5))
        revoke_token(session, revoked.split("_")[2], clock())
    clock.pass_s(300)
    with database.reading() as session:
        with pytest.raises(UnauthenticatedError, match="revoked"):
            authenticate(session, revoked, clock())
        with pytest.raises(UnauthenticatedError, match="expired"):
            authenticate(session, expired, clock())


async def test_last_use_is_noted(api: Api, database: Database, clock: Clock) -> None:
    await api.get("/devices")
    with database.reading() as session:
        row = session.get_one(TokenRow, api.user.split("_")[2])
        assert row.last_used_at is not None
        assert abs((clock.time - row.last_used_at).total_seconds()) < 1


async def test_app_has_only_documented_api_routes(api: Api) -> None:
    documented = {path.removeprefix("/api/v1") for _, path in operations(api)}
    assert {
        route.path for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)
    } == documented
