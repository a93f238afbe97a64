"""A search stays with a worker that writes, whatever its clock says, and leaves one that is silent."""

from datetime import timedelta
from pathlib import Path

import pytest

from search_server.db.session import Database
from search_server.searches.queue import claim_search, renew_search
from tests.conftest import Clock
from tests.searches.house import House, queue_search

HOUR_S = 3600.0


@pytest.fixture
def house(database: Database, clock: Clock, tmp_path: Path) -> House:
    """A server with a search in its queue."""
    queue_search(database, clock)
    return House(database, tmp_path, clock)


def claim(house: House, worker_id: str, shift_s: float = 0.0) -> str | None:
    with house.database.transaction() as session:
        return claim_search(session, worker_id, house.clock() + timedelta(seconds=shift_s))


def renew(house: House, worker_id: str, shift_s: float = 0.0) -> bool:
    with house.database.transaction() as session:
        return renew_search(session, "job_1", worker_id, house.clock() + timedelta(seconds=shift_s))


@pytest.mark.parametrize("shifts_s", [(-HOUR_S,), (HOUR_S,), (HOUR_S, -HOUR_S, 0.0)])
def test_a_worker_whose_clock_is_wrong_keeps_its_search_until_it_is_silent(
    house: House, shifts_s: tuple[float, ...]
) -> None:
    assert claim(house, "w1", shifts_s[0]) == "job_1"
    for number in range(30):
        house.keep_for(5)
        assert renew(house, "w1", shifts_s[number % len(shifts_s)])
    assert claim(house, "w2") is None
    house.keep_for(25)
    assert claim(house, "w2") is None
    house.keep_for(10)
    assert claim(house, "w2") == "job_1"
    assert not renew(house, "w1", shifts_s[0])


def test_a_server_that_stood_still_holds_that_against_no_worker(house: House) -> None:
    claim(house, "w1")
    house.keep_for(10)
    house.clock.pass_s(HOUR_S)  # the database was away, or the server's machine slept
    house.keep()
    assert renew(house, "w1")
