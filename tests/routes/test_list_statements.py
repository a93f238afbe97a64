"""A list takes as many statements for twenty rows as for two: nothing is asked row by row."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from search_server.db.models import (
    ArtifactRow,
    DeviceTagRow,
    JobRow,
    LeaseRow,
    MeasuredLatencyRow,
    ModelLatencyRow,
    ModelRow,
    SearchArchitectureRow,
    TableCheckRow,
)
from search_server.db.session import Database
from search_server.devices.registry import add_device
from search_server.latency.stored.snapshots import store_table
from search_server.resources.checks import Drift
from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.jobs import JobKind
from search_server.resources.latencies import MeasuredLatency
from search_server.resources.models import ModelFacts, ModelLatency
from search_server.resources.searches import SearchCreate
from search_server.resources.tables import Lineage
from shared.protocol.device import Conditions
from shared.protocol.wire import to_dict
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import device_facts
from tests.search_server.tables import known_table

pytestmark = pytest.mark.anyio

KINDS: tuple[JobKind, ...] = ("profile", "measurement", "check", "search", "model", "gate")
LISTS = (
    "/devices",
    "/latency-tables",
    "/models",
    "/models/model_00/measurements",
    "/profiles",
    "/measurements",
    "/checks",
    "/searches",
    "/gates",
    "/audit",
)
FEW, MANY = 2, 20


def add_everything(session: Session, number: int, clock: Clock) -> None:
    """Add one row of each kind, with all that is shown beside it."""
    now = clock()
    device = add_device(session, device_facts(f"device-{number}"), now).device_id
    model, sha256 = f"model_{number:02}", f"{number:064x}"
    session.add(ArtifactRow(sha256=sha256, size_bytes=1, format="onnx", created_at=now))
    session.flush()
    facts = to_dict(ModelFacts("IR 8", "", (), (), "fp32", 0, 0, ()))
    session.add(ModelRow(model_id=model, name=model, sha256=sha256, facts=facts, created_at=now))
    first = store_table(session, known_table(device), now)
    store_table(session, known_table(device, slowdown=2), clock(), lineage=Lineage("rescaled", first))
    session.flush()
    jobs = {kind: f"job_{kind}_{number:02}" for kind in KINDS}
    requests = {
        "search": to_dict(SearchCreate(device, "fbnet-tiny", "digits", target_ms=1.0)),
        "model": {"model_id": "model_00"},
        "gate": {"new_id": model, "old_id": model, "fail_above": 1.0},
    }
    for kind, job_id in jobs.items():
        session.add(
            JobRow(
                job_id=job_id,
                kind=kind,
                status="running",
                device_id=device,
                space="fbnet-tiny",
                conditions=to_dict(Conditions()),
                conditions_key=Conditions().key,
                request=requests.get(kind, {}),
                snapshot=first,
                created_at=now,
            )
        )
    session.flush()
    measured = MeasuredLatency("skip", 1.0, 1.0, None, None, 1, now.isoformat())
    found = FoundArchitecture("found", "skip", 1, 1, 1.0)
    model_latency = ModelLatency(1.0, 1.0, 1.0, 1.0, 1.0, "fbnet-96-035", 1, now.isoformat(), None, ())
    drift = Drift(first, "unchanged", 1.0, 1.0, 0.0, 0.0, (), now.isoformat())
    session.add_all(
        (
            DeviceTagRow(device_id=device, tag="shelf"),
            *(
                LeaseRow(
                    lease_id=f"lease_{status}_{number}",
                    job_id=jobs["profile"],
                    device_id=device,
                    group_index=0,
                    status=status,
                    device_s=1.5,
                    ttl_s=30,
                    items=[],
                    policy={},
                    conditions={},
                    created_at=now,
                )
                for status in ("leased", "done")
            ),
            MeasuredLatencyRow(
                job_id=jobs["measurement"],
                device_id=device,
                space="fbnet-tiny",
                conditions_key="",
                body=to_dict(measured),
            ),
            SearchArchitectureRow(
                job_id=jobs["search"], role="found", architecture="skip", body=to_dict(found)
            ),
            ModelLatencyRow(
                job_id=jobs["model"],
                model_id="model_00",
                device_id=device,
                conditions_key="",
                latency_us=1.0,
                low_us=1.0,
                high_us=1.0,
                anchor_us=1.0,
                body=to_dict(model_latency),
            ),
            TableCheckRow(job_id=jobs["check"], snapshot=first, body=to_dict(drift)),
        )
    )
    session.flush()


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """List the statements that a database executes."""
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


async def test_lists_take_as_many_statements_for_many_rows_as_for_few(
    api: Api, database: Database, clock: Clock
) -> None:
    with database.transaction() as session:
        for number in range(MANY):
            add_everything(session, number, clock)
    for _ in range(MANY):
        await api.refused("DELETE", "/devices/nobody")  # each gives an entry of the audit trail
    admin = api.make_token("admin", None)
    for token in (api.user, admin):
        await api.get("/devices", token=token)  # notes that the token was used
    for path in LISTS:
        numbers = []
        for limit in (FEW, MANY):
            with counted(api.app.state.database) as statements:
                page = await api.get(f"{path}?limit={limit}", token=admin if path == "/audit" else api.user)
            assert len(page["items"]) == limit, path
            numbers.append(len(statements))
        assert numbers[0] == numbers[1] > 0, (path, statements)


async def test_what_stands_beside_a_row_is_its_own(api: Api, database: Database, clock: Clock) -> None:
    with database.transaction() as session:
        for number in range(FEW):
            add_everything(session, number, clock)
    devices = (await api.get("/devices"))["items"]
    assert [(row["name"], row["current_job_id"], row["tags"]) for row in devices] == [
        ("device-1", "job_profile_01", ["shelf"]),
        ("device-0", "job_profile_00", ["shelf"]),
    ]
    profiles = (await api.get("/profiles"))["items"]
    assert [(row["job"]["device_name"], row["device_time_s"]) for row in profiles] == [
        ("device-1", 1.5),
        ("device-0", 1.5),
    ]
    tables = (await api.get("/latency-tables"))["items"]
    newer_1, first_1, newer_0, first_0 = tables
    assert [row["device_name"] for row in tables] == ["device-1", "device-1", "device-0", "device-0"]
    assert [row["superseded_by"] for row in tables] == [
        None,
        newer_1["snapshot"],
        None,
        newer_0["snapshot"],
    ]
    assert [row["drift"] and row["drift"]["snapshot"] for row in tables] == [
        None,
        first_1["snapshot"],
        None,
        first_0["snapshot"],
    ]
