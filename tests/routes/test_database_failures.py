"""What real databases say when they are busy, away or broken, and what becomes of it."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from search_server.db.failures import Failure, failure_of
from search_server.db.session import Database
from search_server.profiling import advance
from search_server.resources.tables import ProfileCreate
from tests.conftest import Clock
from tests.search_server.api import Api
from tests.search_server.synthetic import SIMULATED, SyntheticDevice


def failure(url: str, *statements: str) -> Failure:
    """Return how the last statement fails; each has a connection of its own, and all stay open."""
    engine = create_engine(url)
    with ExitStack() as stack:
        stack.callback(engine.dispose)
        for statement in statements[:-1]:
            stack.enter_context(engine.connect()).execute(text(statement))
        with pytest.raises(OperationalError) as caught:
            stack.enter_context(engine.connect()).execute(text(statements[-1]))
    return failure_of(caught.value)


def test_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/some.db?timeout=0"
    assert failure(url, "BEGIN IMMEDIATE", "BEGIN IMMEDIATE") == "busy"
    assert failure(f"sqlite:///{tmp_path}/nowhere/some.db", "SELECT 1") == "unreachable"
    assert failure(url, "SELECT * FROM nothing") == "broken"


def test_postgresql(postgres_url: str) -> None:
    lock = "LOCK TABLE pg_catalog.pg_description IN EXCLUSIVE MODE"
    assert failure(postgres_url, lock, f"{lock} NOWAIT") == "busy"
    assert failure("postgresql+psycopg://nobody@127.0.0.1:9/none", "SELECT 1") == "unreachable"


@pytest.mark.anyio
async def test_results_are_taken_although_the_database_goes_away_behind_the_answer(
    api: Api, device: SyntheticDevice, database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("", {}, Exception("gone"))

    job = await api.post("/profiles", ProfileCreate("raspi", "fbnet-tiny", SIMULATED))
    with monkeypatch.context() as patch:
        patch.setattr(advance, "_advance", fail)
        await device.work()
    assert (await api.get(f"/profiles/{job['job']['job_id']}"))["job"]["status"] == "running"
    context = api.app.state.context
    assert advance.advance_waiting_jobs(database, context.store, clock) == 1
    await device.work()
    assert (await api.get(f"/profiles/{job['job']['job_id']}"))["job"]["status"] == "done"
