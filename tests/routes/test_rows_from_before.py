"""Rows that an older version kept, with values that no answer can hold, do not break the lists of them."""

import json
from dataclasses import replace

import pytest
from sqlalchemy import select, text

from search_server.db.models import LatencyTableRow, ResultRow
from search_server.db.session import Database
from search_server.db.stored_json import read_stored_json
from search_server.leases.stored_result import pack_result, unpack_result
from search_server.resources.tables import ProfileCreate
from shared.protocol.device import Environment
from shared.protocol.measurement import Heartbeat
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice, device_facts

pytestmark = pytest.mark.anyio


async def test_devices_are_listed_whatever_their_rows_hold(
    api: Api, device: SyntheticDevice, database: Database
) -> None:
    """A half of a surrogate pair stands in the rows as six ASCII characters, as ``json.dumps`` writes."""
    await api.post("/agent/heartbeat", Heartbeat(environment=Environment()), token=device.token)
    facts = device_facts("raspi")
    with database.transaction() as session:
        stored = session.execute(text("SELECT facts FROM devices")).scalar_one()
        row = json.loads(stored) if isinstance(stored, str) else stored
        row |= {"cpu_model": "Cortex \ud83d", "platform": "\U0001f600 linux"}
        values = {"facts": json.dumps(row), "environment": '{"governor": "\\udfff", "load_1m": 0.5}'}
        assert "\\ud83d" in values["facts"]
        session.execute(text("UPDATE devices SET facts = :facts, environment = :environment"), values)
    (shown,) = (await api.get("/devices"))["items"]
    assert (shown["device"]["cpu_model"], shown["device"]["platform"]) == ("Cortex ?", "\U0001f600 linux")
    assert (shown["environment"]["governor"], shown["environment"]["load_1m"]) == ("?", 0.5)
    assert shown["device"]["num_cores"] == facts.num_cores


async def test_tables_and_samples_are_listed_whatever_their_rows_hold(
    api: Api, device: SyntheticDevice, database: Database
) -> None:
    """Runtimes' versions and agents' remarks were kept as they came."""
    await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED))
    await device.work()
    with database.transaction() as session:
        table = session.scalars(select(LatencyTableRow)).one()
        content = json.loads(table.content)
        content["conditions"]["runtime_version"] = "1.0 \ud83d"
        content["verdict"]["notes"] = ["warm \udfff", "\U0001f600"]
        table.content, snapshot = json.dumps(content), table.snapshot
        result = session.scalars(select(ResultRow).where(ResultRow.status == "ok")).first()
        assert result is not None
        stored = unpack_result(result.result_id, result.body, result.body_sha256)
        result.body, result.body_sha256 = pack_result(replace(stored, reason="hot \ud83d"))
        lease_id = result.lease_id
    (listed,) = (await api.get("/latency-tables"))["items"]
    assert listed["conditions"]["runtime_version"] == "1.0 ?"
    shown = (await api.get(f"/latency-tables/{snapshot}"))["summary"]
    assert shown["verdict"]["notes"] == ["warm ?", "\U0001f600"]
    for table_format in ("json", "csv", "parquet"):
        response = await api.send("GET", f"/latency-tables/{snapshot}?format={table_format}")
        assert response.status_code == 200, response.text
    response = await api.send("GET", f"/leases/{lease_id}/samples")
    assert response.status_code == 200, response.text
    assert "hot ?" in response.text


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ('{"a": NaN, "b": [-Infinity, 1.5]}', {"a": None, "b": [None, 1.5]}),
        (b'["\\uD83D\\uDE00", "\\uDE00x"]', ["\U0001f600", "?x"]),
        ('{"\\udc00": 1}', {"?": 1}),
        ('"\\\\ud83d"', "\\ud83d"),
    ],
)
def test_what_no_answer_can_hold_is_made_harmless(stored: str | bytes, read: object) -> None:
    assert read_stored_json(stored) == read
