"""A search in the queue, and housekeeping as a server does it, by the clock of a test."""

from pathlib import Path

from search_server.db.models import JobRow
from search_server.db.session import Database
from search_server.devices.registry import add_device
from search_server.housekeeping import INTERVAL_S, keep_house
from search_server.operating.collector import HouseBook
from search_server.searches.silence import SilenceWatch
from search_server.store import Store
from tests.conftest import Clock
from tests.search_server.synthetic import device_facts


class House:
    """One server process that keeps house."""

    def __init__(self, database: Database, folder: Path, clock: Clock) -> None:
        self.database, self.folder, self.clock = database, folder, clock
        self.book = HouseBook(workers=SilenceWatch(lambda: clock.time.timestamp()))

    def keep(self) -> None:
        """Keep house once, now."""
        keep_house(self.database, self.folder, Store.at(self.folder), self.clock, self.book)

    def keep_for(self, seconds: float) -> None:
        """Keep house now, and as often as a server does until so much time has passed."""
        self.keep()
        for _ in range(round(seconds / INTERVAL_S)):
            self.clock.pass_s(INTERVAL_S)
            self.keep()


def queue_search(database: Database, clock: Clock) -> str:
    """Queue a search for a device of its own, and return its id."""
    with database.transaction() as session:
        device = add_device(session, device_facts("raspi"), clock())
        session.add(
            JobRow(
                job_id="job_1",
                kind="search",
                device_id=device.device_id,
                space="fbnet-tiny",
                conditions={},
                conditions_key="k",
                request={},
                created_at=clock(),
            )
        )
    return "job_1"
