"""Rows that an older version kept, with values that no answer can hold, do not break the lists of them."""

import json

import pytest
from sqlalchemy import text

from search_server.db.session import Database
from search_server.db.stored_json import read_stored_json
from shared.protocol.device import Environment
from shared.protocol.measurement import Heartbeat
from tests.search_server.api import Api
from tests.search_server.synthetic import SyntheticDevice, device_facts

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
