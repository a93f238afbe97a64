"""The database goes away for a while: all that runs goes on when it is back, and logs it once."""

import asyncio
from ipaddress import ip_network
from pathlib import Path

import anyio
import pytest
import structlog

from search_server.db.session import Database
from search_server.housekeeping import keep_house_forever
from search_server.leases.bell import LeaseBell, watch_pending_leases
from search_server.operating.collector import HouseBook
from search_server.profiling.dispatch import Dispatcher, Target
from search_server.store import Store
from tests.conftest import Clock
from tests.search_server.outages import away, until_logged

pytestmark = pytest.mark.anyio

NETWORKS = (ip_network("127.0.0.0/8"),)


async def test_work_in_the_background_goes_on(database: Database, clock: Clock, tmp_path: Path) -> None:
    bell, dispatcher = LeaseBell(), Dispatcher(database, Store.at(tmp_path), NETWORKS, clock)
    with structlog.testing.capture_logs() as logs, bell.listen("some device"):
        async with anyio.create_task_group() as tasks:
            with away(database):
                tasks.start_soon(watch_pending_leases, database, bell, 0.01)
                tasks.start_soon(
                    keep_house_forever, database, tmp_path, Store.at(tmp_path), clock, HouseBook(), 0.01
                )
                tasks.start_soon(dispatcher.run_forever, 0.01)
                with anyio.fail_after(60):
                    await until_logged(logs, "failed; trying again", 3)
            with anyio.fail_after(60):
                await until_logged(logs, "works again", 3)
            tasks.cancel_scope.cancel()
    works = {"housekeeping", "looking for new leases", "looking for agents to call"}
    for event in ("failed; trying again", "works again"):
        assert sorted(log["work"] for log in logs if log["event"] == event) == sorted(works)


async def test_a_call_of_an_agent_raises_nothing(database: Database, clock: Clock, tmp_path: Path) -> None:
    dispatcher = Dispatcher(database, Store.at(tmp_path), NETWORKS, clock)
    urls = ("http://0177.0.0.1", "http://\ud800", "http://[::1", "http://" + "a" * 70 + ".de", "")
    await asyncio.gather(*(dispatcher.call(Target("device_1", "raspi", url, "t")) for url in urls))


async def test_one_agent_that_answers_nonsense_does_not_end_the_loop(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    def no_transport() -> None:
        raise RuntimeError("no such thing was expected")

    dispatcher = Dispatcher(database, Store.at(tmp_path), NETWORKS, clock, no_transport)  # type: ignore[arg-type]
    with structlog.testing.capture_logs() as logs:
        await dispatcher.call(Target("device_1", "raspi", "http://127.0.0.1:9", "t"))
    assert [log["event"] for log in logs] == ["agent call failed"]
