"""Whose things are: who changes them, who finds them."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from search_server.db.session import Database
from search_server.people import add_user, set_disabled
from search_server.resources.latencies import MeasurementCreate
from search_server.resources.searches import SearchCreate
from search_server.resources.tables import ProfileCreate
from search_server.tokens import Scope, create_token
from shared.protocol.device import DeviceCreate
from tests.client.served import table
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice, device_facts

pytestmark = pytest.mark.anyio

TokenOf = Callable[..., str]


@pytest.fixture
def token_of(database: Database, clock: Clock) -> TokenOf:
    """Tokens of alice, of bob and of the administrator root, as an operator makes them."""
    with database.transaction() as session:
        add_user(session, "alice", clock())
        add_user(session, "bob", clock(), is_robot=True)
        add_user(session, "root", clock(), is_admin=True)

    def make(owner: str, scope: Scope = "user") -> str:
        with database.transaction() as session:
            return create_token(session, scope, clock(), owner=owner)

    return make


async def enrolled(api: Api, token: str, name: str) -> SyntheticDevice:
    answer = await api.post("/devices", DeviceCreate(device_facts(name)), token=token)
    return SyntheticDevice(api, name, answer["device_id"], answer["token"])


async def imported(api: Api, token: str, device: str, **query: str) -> str:
    answer = await api.http.post(
        "/latency-tables/import",
        headers={"Authorization": f"Bearer {token}"},
        params={"device": device, **query},
        content=table("any").to_json(),
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["summary"]["snapshot"])


class Things:
    """What alice has, one of each kind that can be changed: the requests that change it, in their order."""

    def __init__(self, paths: list[tuple[str, str, object]]) -> None:
        self.changes = paths


async def things_of(api: Api, alice: str, enrol: str) -> Things:
    device = await enrolled(api, enrol, "hers")
    snapshot = await imported(api, alice, "shelf")

    async def job(path: str, body: object = None) -> str:
        return str((await api.post(path, body, token=alice))["job"]["job_id"])

    measurement = await job("/measurements", MeasurementCreate("hers", "fbnet-tiny", ("skip",), SIMULATED))
    profile = await job("/profiles", ProfileCreate("hers", "fbnet-tiny", SIMULATED))
    search = await job(
        "/searches",
        SearchCreate("shelf", "fbnet-tiny", "digits", target_ms=0.5, snapshot=snapshot),
    )
    return Things(
        [
            ("POST", f"/measurements/{measurement}/cancel", None),
            ("POST", f"/profiles/{profile}/cancel", None),
            ("POST", f"/searches/{search}/cancel", None),
            ("POST", f"/searches/{search}/resume", None),
            ("PATCH", f"/devices/{device.device_id}", {"name": "renamed"}),
            ("DELETE", f"/devices/{device.device_id}", None),
            ("DELETE", "/devices/shelf", None),
        ]
    )


@pytest.mark.parametrize(
    ("caller", "scope", "refused_with"),
    [
        ("alice", "user", None),
        ("bob", "user", (403, "not_yours")),
        ("shared", "user", (403, "not_yours")),
        ("root", "user", (403, "not_yours")),  # an administrator's rights come with the token's scope
        ("root", "admin", None),
        ("alice", "enrol", (403, "wrong_scope")),
    ],
)
async def test_things_are_changed_by_their_owner_and_administrators(
    api: Api, token_of: TokenOf, caller: str, scope: Scope, refused_with: tuple[int, str] | None
) -> None:
    things = await things_of(api, token_of("alice"), token_of("alice", "enrol"))
    token = token_of(caller, scope)
    for method, path, body in things.changes:
        answer = await api.send(method, path, body, token=token)
        if refused_with is None:
            assert answer.is_success, (method, path, answer.text)
        else:
            assert (answer.status_code, answer.json()["type"]) == refused_with, (method, path)


async def test_a_device_cannot_change_what_people_own(api: Api, token_of: TokenOf) -> None:
    things = await things_of(api, token_of("alice"), token_of("alice", "enrol"))
    stranger = await SyntheticDevice.enrol(api, "stranger")
    for method, path, body in things.changes:
        error = await api.refused(method, path, body, token=stranger.token)
        assert (error.status, error.type) == (403, "wrong_scope")


async def test_lists_say_whose_things_are_and_are_filtered_by_owner(api: Api, token_of: TokenOf) -> None:
    alice, bob = token_of("alice"), token_of("bob")
    await things_of(api, alice, token_of("alice", "enrol"))
    await SyntheticDevice.enrol(api, "everybodys")
    for path in ("/devices", "/latency-tables", "/searches", "/profiles", "/measurements"):
        everything = (await api.get(path, token=bob))["items"]
        hers = (await api.get(f"{path}?owner=alice", token=bob))["items"]
        assert {_owner(item) for item in hers} == {"alice"}
        assert (await api.get(f"{path}?owner=me", token=alice))["items"] == hers
        assert (await api.get(f"{path}?owner=me", token=bob))["items"] == []
        assert len(everything) == len(hers) + (path == "/devices")


def _owner(item: dict[str, object]) -> object:
    for part in ("job", "summary"):
        if part in item:
            return item[part]["owner"]  # type: ignore[index]  # plain JSON
    return item["owner"]


async def test_private_things_are_found_by_their_owner_and_administrators_alone(
    api: Api, token_of: TokenOf
) -> None:
    alice, bob, root = token_of("alice"), token_of("bob"), token_of("root", "admin")
    await enrolled(api, token_of("alice", "enrol"), "pi")
    private = [
        ("measurements", MeasurementCreate("pi", "fbnet-tiny", ("skip",), SIMULATED, private=True)),
        ("profiles", ProfileCreate("pi", "fbnet-tiny", SIMULATED, private=True)),
    ]
    paths = []
    for kind, create in private:
        job_id = (await api.post(f"/{kind}", create, token=alice))["job"]["job_id"]
        (lease, *_) = await api.get(f"/leases?job={job_id}", token=alice)
        paths += [
            f"/{kind}/{job_id}",
            f"/leases?job={job_id}",
            f"/leases/{lease['lease_id']}/samples",
            f"/samples?job={job_id}",
        ]
    snapshot = await imported(api, alice, "shelf", private="true")
    search = SearchCreate("shelf", "fbnet-tiny", "digits", target_ms=0.5, snapshot=snapshot, private=True)
    found = await api.post("/searches", search, token=alice)
    job_path = f"/searches/{found['job']['job_id']}"
    paths += [f"{job_path}{end}" for end in ("", "/steps", "/architectures", "/events", "/export")]
    paths += [f"/latency-tables/{snapshot}", f"/latency-tables/{snapshot}/diff/{snapshot}"]
    paths += [f"/latency-tables/{snapshot}/prediction?architecture=skip"]
    for path in paths:
        error = await api.refused("GET", path, token=bob)
        assert error.status == 404, path
        unknown = await api.refused("GET", path.replace("job_0", "job_x").replace(snapshot, "x" * 16))
        assert unknown.status == 404
    for path in ("/searches", "/profiles", "/measurements", "/latency-tables"):
        assert (await api.get(path, token=bob))["items"] == []
        for token in (alice, root):
            assert len((await api.get(path, token=token))["items"]) == 1
    for token in (alice, root):
        await api.get(job_path, token=token)
        await api.get(f"/latency-tables/{snapshot}", token=token)
    cancelling = await api.refused("POST", f"{job_path}/cancel", token=bob)
    assert (cancelling.status, cancelling.type) == (404, "unknown_search")
    use = replace(search, private=False)
    assert (await api.refused("POST", "/searches", use, token=bob)).status == 404
    again = await api.post("/searches", use, token=alice)  # what quotes a private table is private
    assert again["job"]["is_private"] is True


async def test_a_private_measurement_ends_privately_and_hides_behind_its_device(
    api: Api, token_of: TokenOf
) -> None:
    alice, bob = token_of("alice"), token_of("bob")
    device = await enrolled(api, token_of("alice", "enrol"), "pi")
    create = ProfileCreate("pi", "fbnet-tiny", SIMULATED, private=True)
    job_id = (await api.post("/profiles", create, token=alice))["job"]["job_id"]
    assert await device.lease() is not None
    assert (await api.get("/devices/pi", token=alice))["current_job_id"] == job_id
    assert (await api.get("/devices/pi", token=bob))["current_job_id"] is None


async def test_a_private_profile_makes_a_private_table(api: Api, token_of: TokenOf) -> None:
    alice, bob = token_of("alice"), token_of("bob")
    device = await enrolled(api, token_of("alice", "enrol"), "pi")
    create = ProfileCreate("pi", "fbnet-tiny", SIMULATED, private=True)
    profile = await api.post("/profiles", create, token=alice)
    await device.work()
    done = await api.get(f"/profiles/{profile['job']['job_id']}", token=alice)
    assert done["job"]["status"] == "done", done
    assert (await api.get("/latency-tables", token=bob))["items"] == []
    summary = (await api.get(f"/latency-tables/{done['snapshot']}", token=alice))["summary"]
    assert (summary["owner"], summary["is_private"]) == ("alice", True)
    predicting: dict[str, object] = {"device": "pi", "space": "fbnet-tiny", "architectures": ["skip"]}
    predicting["conditions"] = {"runtime": "simulated"}
    assert len(await api.post("/predictions", predicting, token=alice)) == 1
    assert (await api.refused("POST", "/predictions", predicting, token=bob)).type == "no_table"
    reused = await api.post("/profiles", replace(create, private=False), token=alice)
    assert (reused["is_reused"], reused["job"]["is_private"]) == (True, True)
    his = await api.post("/profiles", replace(create, private=False), token=bob)
    assert his["is_reused"] is False  # for bob there is no table yet
    assert len((await api.get("/profiles", token=bob))["items"]) == 1


async def test_removing_a_device_ends_the_private_jobs_of_others_on_it(api: Api, token_of: TokenOf) -> None:
    bob = token_of("bob")
    await enrolled(api, token_of("alice", "enrol"), "pi")
    create = MeasurementCreate("pi", "fbnet-tiny", ("skip",), SIMULATED, private=True)
    job_id = (await api.post("/measurements", create, token=bob))["job"]["job_id"]
    assert (await api.send("DELETE", "/devices/pi", token=token_of("alice"))).status_code == 204
    assert (await api.get(f"/measurements/{job_id}", token=bob))["job"]["status"] == "cancelled"


async def test_tokens_of_a_disabled_user_stop_and_her_devices_go_on(
    api: Api, token_of: TokenOf, database: Database, clock: Clock
) -> None:
    alice = token_of("alice")
    device = await enrolled(api, token_of("alice", "enrol"), "pi")
    with database.transaction() as session:
        set_disabled(session, "alice", clock())
    error = await api.refused("GET", "/devices", token=alice)
    assert (error.status, "user alice was disabled" in error.detail) == (401, True)
    assert await device.lease() is None
    with database.transaction() as session:
        set_disabled(session, "alice", None)
    assert len((await api.get("/devices", token=alice))["items"]) == 1
