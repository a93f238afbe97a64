"""Listeners of one job share a look, and none of them spoils it for the others."""

import asyncio
import threading

import pytest

from search_server.routes.shared_looks import JobLook, SharedLooks

LONG_S = 3600.0
ALWAYS_TOO_OLD_S = -1.0


class Database:
    """Counts looks; each waits until it may answer."""

    def __init__(self) -> None:
        self.num_looks = 0
        self.may_answer = threading.Event()

    def look(self) -> JobLook:
        self.num_looks += 1
        assert self.may_answer.wait(60)
        return f"look {self.num_looks}", False


@pytest.mark.anyio
async def test_two_hundred_listeners_cost_one_look() -> None:
    database, looks = Database(), SharedLooks()
    listeners = [asyncio.create_task(looks.newest("job_1", database.look, LONG_S)) for _ in range(200)]
    await asyncio.sleep(0)
    database.may_answer.set()
    assert set(await asyncio.gather(*listeners)) == {("look 1", False)}
    assert database.num_looks == 1
    assert await looks.newest("job_2", database.look, LONG_S) == ("look 2", False)


@pytest.mark.anyio
async def test_an_old_look_is_not_used_again() -> None:
    database, looks = Database(), SharedLooks()
    database.may_answer.set()
    assert await looks.newest("job_1", database.look, LONG_S) == ("look 1", False)
    assert await looks.newest("job_1", database.look, ALWAYS_TOO_OLD_S) == ("look 2", False)


@pytest.mark.anyio
async def test_a_listener_that_leaves_takes_nothing_from_the_others() -> None:
    database, looks = Database(), SharedLooks()
    leaving, staying = (asyncio.create_task(looks.newest("job_1", database.look, LONG_S)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    database.may_answer.set()
    assert await staying == ("look 1", False)
    assert leaving.cancelled()


@pytest.mark.anyio
async def test_a_failed_look_is_told_and_the_next_one_is_made() -> None:
    def failing() -> JobLook:
        raise ValueError("the database is away")

    database, looks = Database(), SharedLooks()
    database.may_answer.set()
    with pytest.raises(ValueError, match="away"):
        await looks.newest("job_1", failing, LONG_S)
    assert await looks.newest("job_1", database.look, ALWAYS_TOO_OLD_S) == ("look 1", False)
