"""Jobs have names and notes: given when they are asked for or later, used in place of ids."""

import pytest

from search_server.db.session import Database
from search_server.people import add_user
from search_server.resources.jobs import JobUpdate
from search_server.resources.latencies import MeasurementCreate
from search_server.resources.tables import ProfileCreate
from search_server.tokens import create_token
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("device")]


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


async def measurement(api: Api, name: str = "", network: str = "skip") -> str:
    create = MeasurementCreate("raspi", "fbnet-tiny", (network,), SIMULATED, name=name)
    return str((await api.post("/measurements", create))["job"]["job_id"])


async def test_a_name_stands_for_the_id_everywhere(api: Api) -> None:
    job_id = await measurement(api, "nightly run")
    found = await api.get("/measurements/nightly run")
    assert (found["job"]["job_id"], found["job"]["name"]) == (job_id, "nightly run")
    cancelled = await api.post("/measurements/nightly run/cancel")
    assert (cancelled["job"]["job_id"], cancelled["job"]["status"]) == (job_id, "cancelled")


async def test_a_name_of_several_jobs_is_refused_with_their_ids(api: Api) -> None:
    ids = [await measurement(api, "nightly") for _ in range(2)]
    error = await api.refused("POST", "/measurements/nightly/cancel")
    assert (error.status, error.type) == (409, "ambiguous_name")
    assert all(job_id in error.detail for job_id in ids)
    assert (await api.get(f"/measurements/{ids[0]}"))["job"]["status"] == "queued"


async def test_a_name_counts_among_jobs_of_one_kind(api: Api) -> None:
    await measurement(api, "first")
    profile = await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED, name="first"))
    assert (await api.get("/profiles/first"))["job"]["job_id"] == profile["job"]["job_id"]
    assert (await api.refused("GET", "/searches/first")).type == "unknown_search"


async def test_name_and_note_are_changed_apart(api: Api) -> None:
    job_id = await measurement(api, "before")
    named = await api.send("PATCH", f"/jobs/{job_id}", JobUpdate(name="after"))
    assert (named.json()["name"], named.json()["note"]) == ("after", "")
    noted = await api.send("PATCH", f"/jobs/{job_id}", JobUpdate(note="two\nlines"))
    assert (noted.json()["name"], noted.json()["note"]) == ("after", "two\nlines")
    assert (await api.refused("GET", "/measurements/before")).status == 404
    await api.send("PATCH", f"/jobs/{job_id}", JobUpdate(name=""))
    assert (await api.get(f"/measurements/{job_id}"))["job"]["name"] == ""


@pytest.mark.parametrize("name", ["job_1", " nightly", "night\nly", "a/b", "x" * 101])
async def test_what_cannot_be_a_name_is_refused(api: Api, name: str) -> None:
    job_id = await measurement(api)
    for method, path, body in (
        ("PATCH", f"/jobs/{job_id}", {"name": name}),
        ("POST", "/profiles", {"device": "raspi", "space": "fbnet-tiny", "name": name}),
        ("POST", "/searches", {"device": "raspi", "space": "fbnet-tiny", "data": "digits", "name": name}),
    ):
        error = await api.refused(method, path, body)
        assert error.status == 422, path
        assert "name must" in error.detail, path


async def test_only_the_owner_renames_and_others_do_not_find_what_is_private(
    api: Api, database: Database, clock: Clock
) -> None:
    with database.transaction() as session:
        add_user(session, "bob", clock())
        bob = create_token(session, "user", clock(), owner="bob")
    job_id = await measurement(api, "hers")
    change = JobUpdate(name="his")
    assert (await api.refused("PATCH", f"/jobs/{job_id}", change, token=bob)).type == "not_yours"
    create = MeasurementCreate("raspi", "fbnet-tiny", ("skip",), SIMULATED, private=True, name="secret")
    hidden = (await api.post("/measurements", create))["job"]["job_id"]
    assert (await api.refused("GET", "/measurements/secret", token=bob)).status == 404
    assert (await api.refused("PATCH", f"/jobs/{hidden}", change, token=bob)).status == 404
    assert (await api.get("/measurements/secret"))["job"]["job_id"] == hidden
