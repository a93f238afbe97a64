"""The audit trail: who changed what, when and from where; no secrets, nothing changed afterwards."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from search_server.db.session import Database
from search_server.people import add_user
from search_server.resources.latencies import MeasurementCreate
from search_server.tokens import Scope, create_token
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice

pytestmark = pytest.mark.anyio

CREATE = MeasurementCreate("raspi", "fbnet-tiny", ("skip",), SIMULATED)


def alice(database: Database, clock: Clock, scope: Scope = "user") -> str:
    with database.transaction() as session:
        add_user(session, "alice", clock())
        return create_token(session, scope, clock(), owner="alice")


async def test_changes_and_refusals_are_told_newest_first(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    token, admin = alice(database, clock), api.make_token("admin", None)
    job_id = (await api.post("/measurements", CREATE, token=token))["job"]["job_id"]
    assert (await api.send("POST", f"/measurements/{job_id}/cancel", token=api.user)).status_code == 403
    await api.post(f"/measurements/{job_id}/cancel", token=token)
    assert (await api.send("POST", "/searches", {"device": "raspi"}, token=token)).status_code == 422
    assert (await api.send("DELETE", f"/devices/{token}", token=token)).status_code == 404
    # Neither reading, nor an agent's work, nor a request without a token changes what belongs to somebody.
    await api.get("/devices", token=token)
    await device.lease()
    assert (
        await api.send("POST", f"/measurements/{job_id}/cancel", token="edg_user_1_2")
    ).status_code == 401
    entries = (await api.get("/audit", token=admin))["items"]
    told = [(entry["user"], entry["action"], entry["subject"], entry["status"]) for entry in entries]
    cancel = "POST /measurements/{job_id}/cancel"
    assert told == [
        ("alice", "DELETE /devices/{device}", "edg_(token)", 404),
        ("alice", "POST /searches", "", 422),
        ("alice", cancel, job_id, 200),
        ("shared", cancel, job_id, 403),
        ("alice", "POST /measurements", job_id, 201),
        ("shared", "POST /devices", device.device_id, 201),
    ]
    assert {entry["token_id"] for entry in entries[:2]} == {token.split("_")[2]}
    assert all(entry["address"] and entry["request_id"] for entry in entries)
    assert token.split("_", 3)[3] not in str(entries)


async def test_entries_are_filtered_and_paged(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock
) -> None:
    token, admin = alice(database, clock), api.make_token("admin", None)
    jobs = [(await api.post("/measurements", CREATE, token=token))["job"]["job_id"] for _ in range(3)]

    async def subjects(query: str) -> list[str]:
        return [entry["subject"] for entry in (await api.get(f"/audit?{query}", token=admin))["items"]]

    assert await subjects("user=alice") == jobs[::-1]
    assert await subjects("user=shared") == [device.device_id]
    assert await subjects(f"subject={jobs[1][4:]}") == [jobs[1]]
    assert await subjects("status=403") == []
    first = await api.get("/audit?user=alice&limit=2", token=admin)
    assert await subjects(f"user=alice&limit=2&cursor={first['next_cursor']}") == jobs[:1]
    middle = first["items"][1]["at"].replace("+", "%2B")
    assert await subjects(f"user=alice&since={middle}") == jobs[:0:-1]
    assert await subjects(f"user=alice&until={middle}") == jobs[:1]


async def test_only_administrators_read_it(api: Api, database: Database, clock: Clock) -> None:
    for token in (api.user, alice(database, clock)):
        error = await api.refused("GET", "/audit", token=token)
        assert (error.status, error.type) == (403, "wrong_scope")


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("statement", ["UPDATE audit SET status = 200", "DELETE FROM audit"])
async def test_the_database_refuses_to_change_it(database: Database, statement: str) -> None:
    with pytest.raises(DBAPIError, match="only added to"), database.transaction() as session:
        session.execute(text(statement))
