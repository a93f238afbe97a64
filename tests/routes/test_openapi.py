"""Every operation answers as the OpenAPI document says, whatever it is sent and whoever sends it.

schemathesis reads the document and makes up requests, right ones and wrong ones. Not checked is that
whatever fits the document is accepted: it cannot tell that two fields exclude each other.
"""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.core.failures import AcceptedNegativeData, FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from search_server.app import equip_app
from search_server.db.session import Database
from search_server.devices.registry import enrol
from search_server.jobs.registry import Submission, cancel_job
from search_server.profiling.measurements import submit_measurement
from search_server.resources.latencies import MeasurementCreate
from search_server.settings import Settings
from search_server.store import Store
from search_server.tokens import Caller, Scope, create_token
from shared.protocol.device import DeviceCreate
from tests.conftest import Clock
from tests.search_server.synthetic import SIMULATED, device_facts
from tests.search_server.tables import store_known_table

NUM_EXAMPLES = {"user": 3, "admin": 1, "device": 2, "none": 1}
"""Of right and of wrong requests for each operation."""
LONGEST_S = 250
"""Far more than any answer takes, however busy the machine is."""


class World:
    """A server with a device, a table and an ended measurement, and a token of each scope."""

    def __init__(self, app: FastAPI, database: Database, data: Path, clock: Clock) -> None:
        self.app = app
        with database.transaction() as session:
            self.tokens: dict[str, str | None] = {
                scope: create_token(session, scope, clock()) for scope in ("user", "admin", "enrol")
            }
            enrolling = Caller(str(self.tokens["enrol"]).split("_")[2], "enrol")
            device = enrol(session, enrolling, DeviceCreate(device_facts("raspi")), clock())
            self.tokens |= {"device": device.token, "none": None}
            snapshot = store_known_table(session, device.device_id, clock())
            create = MeasurementCreate("raspi", "fbnet-tiny", ("skip",), SIMULATED)
            job = submit_measurement(session, Store.at(data), create, Submission(None), clock())
            cancel_job(session, job.job_id, clock())
        self.known = {"device": "raspi", "snapshot": snapshot, "other": snapshot, "job_id": job.job_id}
        """Path parameters that name something that is there."""

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serve without what goes on in the background."""
        if scope["type"] == "http":
            await self.app(scope, receive, send)


@pytest.fixture
def world(shared_app: FastAPI, sqlite_template: Path, tmp_path: Path, clock: Clock) -> Iterator[World]:
    path = tmp_path / "edgenas.db"
    shutil.copy(sqlite_template, path)
    options = Settings(data=tmp_path / "data", database_url=f"sqlite:///{path}", max_queued_jobs=100_000)
    options.data.mkdir()
    equip_app(shared_app, options, clock, poll_s=0.01)
    database: Database = shared_app.state.database
    yield World(shared_app, database, tmp_path / "data", clock)
    database.close()


def operations(world: World) -> list[Any]:
    schema: Any = schemathesis.openapi.from_asgi("/openapi.json", world)
    return [found.ok() for found in schema.get_all_operations()]


def is_fault(fault: BaseException) -> bool:
    """Every text is a text: a query or header is wrong only where the document says so in other ways."""
    return not isinstance(fault, AcceptedNegativeData) or "- body" in fault.message


@pytest.mark.parametrize("scope", ["user", "admin", "device", "none"])
def test_every_operation_answers_as_documented(world: World, scope: Scope) -> None:
    token = world.tokens[scope]
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    faults: list[str] = []

    def try_out(case: Any, *, names_what_is_there: bool) -> None:
        if names_what_is_there:
            case.path_parameters.update(
                {name: world.known[name] for name in case.path_parameters if name in world.known}
            )
        case.query.pop("wait", None)  # nobody waits here
        try:
            case.call_and_validate(
                headers=headers, excluded_checks=[positive_data_acceptance], timeout=LONGEST_S
            )
        except FailureGroup as group:
            found = filter(is_fault, group.exceptions)
            faults.extend(f"{case.method} {case.path}: {fault}" for fault in found)

    for operation in operations(world):
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            quickly = settings(
                max_examples=NUM_EXAMPLES[scope],
                derandomize=True,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            given_cases = given(
                case=operation.as_strategy(generation_mode=mode), names_what_is_there=st.booleans()
            )
            with suppress(Unsatisfiable):  # nothing can be wrong about a request without parameters
                quickly(given_cases(try_out))()
    assert not faults, f"{len(faults)} faults, the first ones:\n" + "\n\n".join(faults[:8])
