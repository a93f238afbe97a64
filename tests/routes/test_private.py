"""What is private: for a stranger every kind of thing is as if it was not there."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

import pytest

from search_server.db.session import Database
from search_server.jobs.registry import finish_job
from search_server.people import add_user
from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.fronts import FrontCreate, RetargetCreate
from search_server.resources.gates import GateCreate
from search_server.resources.latencies import MeasurementCreate
from search_server.resources.models import ModelMeasurementCreate
from search_server.resources.searches import SearchCreate
from search_server.resources.tables import ProfileCreate
from search_server.tokens import Scope, create_token
from shared.protocol.wire import to_dict
from tests.conftest import Clock
from tests.profiling.test_gates import two_models
from tests.profiling.test_own_models import renew
from tests.search_server.api import Api
from tests.search_server.synthetic import RUNTIMES, SIMULATED, SyntheticDevice
from tests.search_server.tables import known_table, store_known_table

pytestmark = pytest.mark.anyio

SPACE = "fbnet-tiny"
BLOCKS = ("skip", "k3_e1", "k3_e3", "k3_e6", "k5_e1", "k5_e3")
FOUND = FoundArchitecture("found", "skip,skip", 10, 20, predicted_us=900.0)


@dataclass(frozen=True, slots=True)
class World:
    """What everybody reads: a device with a table, two models, a finished search; and three tokens."""

    api: Api
    device: SyntheticDevice
    snapshot: str
    search: str
    alice: str
    bob: str
    root: str

    @property
    def middle_ms(self) -> float:
        return sum(known_table(self.device.device_id).latency_range_us()) / 2000

    def search_create(self, **changes: object) -> SearchCreate:
        create = SearchCreate("raspi", SPACE, "digits", target_ms=self.middle_ms, snapshot=self.snapshot)
        return replace(create, **changes)  # type: ignore[arg-type]


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


@pytest.fixture
async def world(api: Api, device: SyntheticDevice, database: Database, clock: Clock) -> World:
    await two_models(api, database, device)
    renew(database, device, runtimes=to_dict(RUNTIMES))
    names: Mapping[str, Scope] = {"alice": "user", "bob": "user", "root": "admin"}
    with database.transaction() as session:
        for name, scope in names.items():
            add_user(session, name, clock(), is_admin=scope == "admin")
        tokens = [create_token(session, scope, clock(), owner=name) for name, scope in names.items()]
        snapshot = store_known_table(session, device.device_id, clock())
    made = World(api, device, snapshot, "", *tokens)
    job_id = (await api.post("/searches", made.search_create()))["job"]["job_id"]
    with database.transaction() as session:
        finish_job(session, job_id, clock(), result=to_dict(FOUND))
    return replace(made, search=job_id)


async def whole_networks(world: World) -> str:
    content = b"architecture,latency_ms\nskip,1.5\n"
    path = f"/measurements/import?device=raspi&space={SPACE}&private=true"
    answer = await world.api.send("POST", path, content=content, token=world.alice)
    return str(answer.raise_for_status().json()["job"]["job_id"])


def job(path: str, body: Callable[[World], object]) -> Callable[[World], Awaitable[str]]:
    async def start(world: World) -> str:
        where = path.format(search=world.search, snapshot=world.snapshot)
        made = await world.api.post(where, body(world), token=world.alice)
        assert made["job"]["is_private"] is True
        return str(made["job"]["job_id"])

    return start


KINDS: Mapping[str, tuple[str, Callable[[World], Awaitable[str]]]] = {
    "measurement": (
        "/measurements",
        job(
            "/measurements", lambda _: MeasurementCreate("raspi", SPACE, ("skip",), SIMULATED, private=True)
        ),
    ),
    "imported measurement": ("/measurements", whole_networks),
    "profile": (
        "/profiles",
        job("/profiles", lambda _: ProfileCreate("raspi", SPACE, SIMULATED, private=True)),
    ),
    "check": ("/checks", job("/latency-tables/{snapshot}/checks?private=true", lambda _: None)),
    "search": ("/searches", job("/searches", lambda world: world.search_create(private=True))),
    "front": ("/searches", job("/searches/{search}/front", lambda _: FrontCreate(private=True))),
    "retarget": (
        "/searches",
        job("/searches/{search}/retarget", lambda world: RetargetCreate(world.middle_ms, private=True)),
    ),
    "model measurement": (
        "/models/new/measurements",
        job("/models/new/measurements", lambda _: ModelMeasurementCreate("raspi", private=True)),
    ),
    "gate": ("/gates", job("/gates", lambda _: GateCreate("raspi", "new", "old", private=True))),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stranger_cannot_tell_a_private_job_from_none(world: World, kind: str) -> None:
    api, (path, start) = world.api, KINDS[kind]
    before = (await api.get(path, token=world.bob))["items"]
    job_id = await start(world)
    unknown = job_id[:-6] + "zzzzzz"
    assert (await api.get(path, token=world.bob))["items"] == before
    for token in (world.alice, world.root):
        listed = [item["job"]["job_id"] for item in (await api.get(path, token=token))["items"]]
        assert job_id in listed
        await api.get(f"{path}/{job_id}", token=token)
    parts = ("steps", "curves", "architectures", "events", "export") if path == "/searches" else ("events",)
    asked = [("GET", f"{path}/{{}}"), *(("GET", f"{path}/{{}}/{part}") for part in parts)]
    asked += [("GET", "/leases?job={}"), ("GET", "/samples?job={}"), ("POST", f"{path}/{{}}/cancel")]
    if path == "/searches":
        asked += [("POST", f"{path}/{{}}/resume"), ("POST", f"{path}/{{}}/front")]
    for method, way in asked:
        answers = [
            await api.send(method, way.format(name), {} if "front" in way else None, token=world.bob)
            for name in (job_id, unknown)
        ]
        assert answers[0].status_code == 404, way
        there, not_there = (
            re.sub(rf'{job_id}|{unknown}|"request_id":"[^"]*"', "", answer.text) for answer in answers
        )
        assert there == not_there, way
    (lease,) = (await api.get(f"/leases?job={job_id}", token=world.alice))[:1] or [None]
    if lease is not None:
        hidden = await api.refused("GET", f"/leases/{lease['lease_id']}/samples", token=world.bob)
        assert hidden.status == 404


async def test_what_a_private_check_finds_is_private(world: World) -> None:
    api = world.api
    first = await profiled(world)
    before = await api.get(f"/latency-tables/{first}", token=world.bob)
    asked = await api.post(f"/latency-tables/{first}/checks?private=true", token=world.alice)
    await world.device.work(slowdown=1.5)
    found = await api.get(f"/checks/{asked['job']['job_id']}", token=world.alice)
    assert found["drift"]["outcome"] == "rescaled"
    rescaled = found["drift"]["rescaled_to"]
    assert (await api.get(f"/latency-tables/{rescaled}", token=world.alice))["summary"][
        "is_private"
    ] is True
    assert (await api.refused("GET", f"/latency-tables/{rescaled}", token=world.bob)).status == 404
    assert await api.get(f"/latency-tables/{first}", token=world.bob) == before
    hers = (await api.get(f"/latency-tables/{first}", token=world.alice))["summary"]
    assert (hers["superseded_by"], hers["drift"]["rescaled_to"]) == (rescaled, rescaled)


async def test_a_private_table_decides_nothing_for_others(world: World) -> None:
    api = world.api
    first = await profiled(world)
    await profiled(world, token=world.alice, private=True, force=True, slowdown=2.0)
    create = MeasurementCreate("raspi", SPACE, ("skip",), SIMULATED)
    measured = await api.post("/measurements", create, token=world.alice)  # hers, and read by everybody
    checked = await api.post(f"/latency-tables/{first}/checks", token=world.bob)
    await world.device.work()
    (latency,) = (await api.get(f"/measurements/{measured['job']['job_id']}", token=world.bob))["latencies"]
    assert latency["prediction"]["snapshot"] == first
    drift = (await api.get(f"/checks/{checked['job']['job_id']}", token=world.bob))["drift"]
    assert drift["outcome"] == "unchanged"
    again = await profiled(world, token=world.bob, force=True, slowdown=3.0)
    assert (await api.get(f"/latency-tables/{again}"))["summary"]["lineage"]["parent"] == first


async def test_a_public_table_is_not_recalibrated_by_private_measurements(world: World) -> None:
    api, first = world.api, await profiled(world)
    create = MeasurementCreate("raspi", SPACE, BLOCKS, SIMULATED, private=True)
    await api.post("/measurements", create, token=world.alice)
    await world.device.work(network_slowdown=0.96)
    path = f"/latency-tables/{first}/recalibrations"
    assert "0 different networks" in (await api.refused("POST", path, token=world.alice)).detail
    made = await api.post(f"{path}?private=true", token=world.alice)
    assert made["num_networks"] == len(BLOCKS)
    hidden = await api.refused("GET", f"/latency-tables/{made['snapshot']}", token=world.bob)
    assert hidden.status == 404


async def test_the_warnings_of_a_public_import_name_no_private_table(world: World) -> None:
    content = known_table("any", slowdown=4.0).to_json()

    async def warnings(device: str, private: str) -> str:
        path = f"/latency-tables/import?device={device}&private={private}"
        answer = await world.api.send("POST", path, content=content, token=world.alice)
        return str(answer.raise_for_status().json()["summary"]["warnings"])

    await warnings("secret", "true")
    assert "secret" in await warnings("second", "true")
    assert "secret" not in await warnings("third", "false")


async def profiled(
    world: World,
    token: str | None = None,
    slowdown: float = 1.0,
    *,
    force: bool = False,
    private: bool = False,
) -> str:
    create = ProfileCreate("raspi", SPACE, SIMULATED, force=force, private=private)
    started = await world.api.post("/profiles", create, token=token)
    await world.device.work(slowdown)
    done = await world.api.get(f"/profiles/{started['job']['job_id']}", token=token)
    assert done["job"]["status"] == "done", done
    return str(done["snapshot"])
